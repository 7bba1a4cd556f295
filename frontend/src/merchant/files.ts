// A file that somebody chose, as CSV text: spreadsheets as they are saved, in whatever encoding.
import { api } from "@/shared/api";

export const ACCEPT = ".csv,.txt,.xlsx,text/csv,application/vnd.openxmlformats-officedocument.spreadsheetml.sheet";
/** Chunks small enough for the arguments of one call. */
const CHUNK = 32_768;

/** A spreadsheet's CSV may be GB18030: what is no valid UTF-8 is read as that. */
export function textOf(bytes: ArrayBuffer): string {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    return new TextDecoder("gb18030").decode(bytes);
  }
}

export function base64(bytes: Uint8Array): string {
  let text = "";
  for (let at = 0; at < bytes.length; at += CHUNK) text += String.fromCharCode(...bytes.subarray(at, at + CHUNK));
  return btoa(text);
}

/** The rows of a CSV or of a workbook's first sheet; rejects with the server's refusal of what is no workbook. */
export async function csvOf(file: File): Promise<string> {
  const bytes = await file.arrayBuffer();
  const packed = new Uint8Array(bytes, 0, Math.min(2, bytes.byteLength));
  if (packed[0] !== 0x50 || packed[1] !== 0x4b) return textOf(bytes); // "PK": a workbook is a zip
  return (await api.post<{ csv: string }>("/sheets", { xlsx: base64(new Uint8Array(bytes)) })).csv;
}
