// REST under /api/v1: one wrapper that adds the token and turns refusals into readable errors.
import { ref } from "vue";
import { t, tMaybe } from "./i18n";

export type Retry = "never" | "reauth" | number;

/** What the server refused, or that it could not be reached (`code` "network.away"). */
export class ApiError extends Error {
  constructor(
    readonly code: string,
    readonly status: number,
    readonly detail = "",
    readonly retry: Retry = "never",
    readonly field = "",
    /** the request's id, for people to quote */
    readonly ref = "",
  ) {
    super(`${code}${detail ? `: ${detail}` : ""}`);
  }
}

/** Account pages keep their token for the tab; the shopper window keeps its own (see shopper/identity.ts). */
const KEY = "wangxin.account";
export const token = ref<string | null>(read());
let onSignedOut: () => void = () => {};

function read(): string | null {
  try {
    return sessionStorage.getItem(KEY);
  } catch {
    return null;
  }
}

export function setToken(value: string | null): void {
  token.value = value;
  try {
    if (value === null) sessionStorage.removeItem(KEY);
    else sessionStorage.setItem(KEY, value);
  } catch {
    // kept in memory then
  }
}

/** Called when the server says that the token is of no use any more. */
export function whenSignedOut(then: () => void): void {
  onSignedOut = then;
}

export interface Options {
  query?: Record<string, string | number | boolean | null | undefined>;
  signal?: AbortSignal;
  /** instead of the account's token; null: none */
  as?: string | null;
  headers?: Record<string, string>;
  /** the answer is a file */
  blob?: boolean;
}

async function call<T>(method: string, path: string, body: unknown, options: Options = {}): Promise<T> {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(options.query ?? {}))
    if (value !== null && value !== undefined) query.set(name, String(value));
  const url = `/api/v1${path}${query.size ? `?${query}` : ""}`;
  const headers: Record<string, string> = { Accept: "application/json", ...options.headers };
  const bearer = options.as === undefined ? token.value : options.as;
  if (bearer) headers.Authorization = `Bearer ${bearer}`;
  let content: BodyInit | undefined;
  if (body instanceof FormData || body instanceof Blob) content = body;
  else if (body !== undefined) {
    content = JSON.stringify(body);
    headers["Content-Type"] = "application/json";
  }
  let answer: Response;
  try {
    answer = await fetch(url, { method, headers, body: content, signal: options.signal, credentials: "omit" });
  } catch (trouble) {
    if ((trouble as Error).name === "AbortError") throw trouble;
    throw new ApiError("network.away", 0, "", 3_000);
  }
  const kind = answer.headers.get("content-type") ?? "";
  if (answer.ok && options.blob) return (await answer.blob()) as T;
  const said: unknown = kind.includes("json") ? await answer.json().catch(() => null) : await answer.text();
  if (answer.ok) return said as T;
  const trouble = errorOf(answer, said);
  if (answer.status === 401 && options.as === undefined && token.value) {
    setToken(null);
    onSignedOut();
  }
  throw trouble;
}

function errorOf(answer: Response, said: unknown): ApiError {
  const outer = (said ?? {}) as Record<string, unknown>;
  const inner = (typeof outer.error === "object" && outer.error ? outer.error : outer) as Record<string, unknown>;
  const text = (name: string) => (typeof inner[name] === "string" ? (inner[name] as string) : "");
  const retry = inner.retry;
  return new ApiError(
    text("code") || (answer.status >= 500 ? "server.trouble" : "request.refused"),
    answer.status,
    text("detail"),
    typeof retry === "number" || retry === "reauth" ? retry : "never",
    text("field"),
    text("ref") || (answer.headers.get("x-request-id") ?? ""),
  );
}

export const api = {
  get: <T>(path: string, options?: Options) => call<T>("GET", path, undefined, options),
  file: (path: string, options?: Options) => call<Blob>("GET", path, undefined, { ...options, blob: true }),
  post: <T>(path: string, body?: unknown, options?: Options) => call<T>("POST", path, body ?? {}, options),
  put: <T>(path: string, body?: unknown, options?: Options) => call<T>("PUT", path, body ?? {}, options),
  patch: <T>(path: string, body?: unknown, options?: Options) => call<T>("PATCH", path, body ?? {}, options),
  del: <T>(path: string, options?: Options) => call<T>("DELETE", path, undefined, options),
};

/** What happened and what to do, for people. A text for the code (`error.<code>`) wins, then the noun's, then a plain one. */
export function errorText(trouble: unknown): string {
  const { code = "", detail = "" } = trouble as { code?: string; detail?: string };
  return tMaybe(`error.${code}`) || (detail ? t("error.said", { detail }) : t("error.plain"));
}
