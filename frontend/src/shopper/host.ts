// The page that embeds this window, if any; spoken to by postMessage, and heard only from the frame's own parent.
export type FromHost =
  | { do: "open" }
  | { do: "close" }
  /** the first word: the shopper's token, "" for a guest */
  | { do: "start"; token: string }
  | { do: "user"; token: string }
  | { do: "token"; token: string }
  | { do: "reset" }
  | { do: "locale"; locale: string }
  | { do: "theme"; theme: "auto" | "light" | "dark" }
  | { do: "context"; context: Record<string, string> }
  | { do: "product"; product: Record<string, unknown> }
  | { do: "order"; order: Record<string, unknown> };

export type ToHost =
  | { did: "ready" }
  | { did: "close" }
  | { did: "unread"; count: number; last: string }
  | { did: "message"; kind: string; mine: boolean }
  | { did: "user" }
  | { did: "expired" }
  | { did: "error"; code: string };

export const embedded = window.parent !== window;

export function tellHost(message: ToHost): void {
  if (embedded) window.parent.postMessage({ wangxin: 1, ...message }, "*"); // rule: message-to-all: frame-ancestors says who hears
}

export function hearHost(hear: (message: FromHost) => void): void {
  addEventListener("message", (event: MessageEvent) => {
    if (!embedded || event.source !== window.parent) return;
    const said = event.data as (FromHost & { wangxin?: number }) | null;
    if (said && typeof said === "object" && said.wangxin === 1) hear(said);
  });
}

const TOKEN_WAIT_MS = 10_000;
let given: ((token: string) => void) | null = null;

/** Ask the embedding page for a fresh member token; empty where it gives none in time. */
export function askMember(): Promise<string> {
  if (!embedded) return Promise.resolve("");
  return new Promise((done) => {
    given = done;
    tellHost({ did: "expired" });
    setTimeout(() => done(""), TOKEN_WAIT_MS);
  });
}

export function memberGiven(token: string): void {
  given?.(token);
  given = null;
}
