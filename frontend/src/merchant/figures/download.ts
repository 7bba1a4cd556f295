// A CSV answer as a file: it is fetched with the token, which a plain link could not carry.
import { api } from "@/shared/api";

export async function downloadCsv(
  path: string,
  query: Record<string, string | number | null | undefined>,
  name: string,
): Promise<void> {
  const text = await api.get<string>(path, { query, headers: { Accept: "text/csv" } });
  // Reading as text took the byte order mark away, without which spreadsheets take Chinese for Latin.
  const url = URL.createObjectURL(new Blob(["﻿", text], { type: "text/csv;charset=utf-8" }));
  const link = document.createElement("a");
  link.href = url;
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}
