// An answer as a file: it is fetched with the token, which a plain link could not carry.
import { api } from "@/shared/api";

type Query = Record<string, string | number | null | undefined>;

export async function downloadCsv(
  path: string,
  query: Query,
  name: string,
): Promise<void> {
  const text = await api.get<string>(path, { query, headers: { Accept: "text/csv" } });
  // Reading as text took the byte order mark away, without which spreadsheets take Chinese for Latin.
  saveFile(new Blob(["﻿", text], { type: "text/csv;charset=utf-8" }), name);
}

/** Any other file, as it is. */
export async function downloadFile(path: string, query: Query, name: string): Promise<void> {
  saveFile(await api.file(path, { query }), name);
}

export function saveFile(content: Blob, name: string): void {
  const url = URL.createObjectURL(content);
  const link = document.createElement("a");
  link.href = url;
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}

/** Text made here, as a file that spreadsheets read as UTF-8. */
export function saveText(text: string, name: string): void {
  saveFile(new Blob(["\ufeff", text], { type: "text/csv;charset=utf-8" }), name);
}
