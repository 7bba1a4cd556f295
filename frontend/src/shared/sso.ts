// Single sign-on: the tab makes a secret, goes to the issuer, and comes back with a code that counts only beside it.
import { api, ApiError } from "./api";

export interface SingleSignOn {
  on: boolean;
  name: string;
  /** passwords are closed */
  only: boolean;
}

const KEY = "wangxin.sso";

export async function offered(): Promise<SingleSignOn> {
  return api.get<SingleSignOn>("/login/sso", { as: null });
}

/** Leaves the page. */
export async function goThere(console: string): Promise<void> {
  const chance = crypto.getRandomValues(new Uint8Array(32));
  const binding = [...chance].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  const begun = await api.post<{ url: string }>("/login/sso/begin", { binding, console }, { as: null });
  sessionStorage.setItem(KEY, binding);
  location.assign(begun.url);
}

/** Taken out of the address before anything else reads it: consoles import this file first. */
const came = taken();

function taken(): { code: string; state: string; error: string } | null {
  const asked = new URLSearchParams(location.search);
  const [code, state, error] = ["code", "state", "error"].map((name) => asked.get(name) ?? "") as [string, string, string];
  if (!error && !(code && state)) return null;
  history.replaceState(history.state, "", location.pathname);
  return { code, state, error };
}

/** What the issuer sent back to this tab; null: nobody comes from there. */
export function cameBack(): { code: string; state: string; binding: string } | null {
  if (!came) return null;
  const { code, state, error } = came;
  const binding = sessionStorage.getItem(KEY) ?? "";
  sessionStorage.removeItem(KEY);
  if (error) throw new ApiError(error === "state" ? "login.sso_state" : "login.sso_refused", 401);
  if (!binding) throw new ApiError("login.sso_state", 401);
  return { code, state, binding };
}
