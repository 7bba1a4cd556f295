// Who is signed in to a console: agents, merchants and providers, with login and password. Kept for the tab: an hour's
// token, and the secret that fetches the next one and is spent by it.
import { ref } from "vue";
import { api, ApiError, setToken, token, whenSignedOut } from "./api";

export interface Account {
  id: string;
  login: string;
  /** the account's own name; shoppers know the persona */
  name: string;
  persona: string;
  role: "agent" | "merchant" | "provider";
  supervises: boolean;
  outsourced: boolean;
  shops: { id: string; slug: string; name: string }[];
  /** what a merchant may do, by shop */
  duties: Record<string, "owner" | "operator" | "lead" | "finance" | "reader">;
}

interface Signed {
  token: string;
  expires_ms: number;
  /** empty: the one held goes on counting */
  refresh: string;
  person: Account;
}

const KEY = "wangxin.refresh";
/** A token that has less than this left is changed before it is used for a new line. */
const SOON_MS = 120_000;
let refresh = read();
let expiresMs = 0;
let renewing: Promise<Account> | null = null;

export const account = ref<Account | null>(null);
whenSignedOut(() => {
  // Its hour may be over while the session is not: try once before anybody is asked for a password.
  if (account.value) void renew().catch(() => (account.value = null));
});

function read(): string {
  try {
    return sessionStorage.getItem(KEY) ?? "";
  } catch {
    return "";
  }
}

function keep(value: string): void {
  refresh = value;
  try {
    if (value) sessionStorage.setItem(KEY, value);
    else sessionStorage.removeItem(KEY);
  } catch {
    // kept in memory then
  }
}

const SHOP = "wangxin.shop.";

/** A merchant's pages show the first of his shops: the one he chose here last, where it is still his. */
function inOrder(person: Account): Account {
  if (person.role !== "merchant" || person.shops.length < 2) return person;
  let chosen: string | null = null;
  try {
    chosen = localStorage.getItem(SHOP + person.id);
  } catch {
    // the server's order then
  }
  const first = person.shops.filter((shop) => shop.id === chosen);
  return { ...person, shops: [...first, ...person.shops.filter((shop) => shop.id !== chosen)] };
}

/** Show another of the merchant's shops. The page is loaded anew: nothing of the one before stays on it. */
export function chooseShop(shop: string): void {
  if (!account.value) return;
  try {
    localStorage.setItem(SHOP + account.value.id, shop);
  } catch {
    return;
  }
  location.assign("/merchant/");
}

function take(signed: Signed): Account {
  setToken(signed.token);
  expiresMs = signed.expires_ms;
  if (signed.refresh) keep(signed.refresh);
  account.value = inOrder(signed.person);
  return account.value;
}

export async function signIn(login: string, password: string): Promise<Account> {
  return take(await api.post<Signed>("/login", { login, password }, { as: null }));
}

/** Another password; every other session of the account ends. */
export async function signInAnew(login: string, password: string, another: string): Promise<Account> {
  return take(await api.post<Signed>("/login/password", { login, password, new: another }, { as: null }));
}

/** With what the issuer of single sign-on sent back. */
export async function signInWith(proof: { code: string; state: string; binding: string }): Promise<Account> {
  return take(await api.post<Signed>("/login/sso/finish", proof, { as: null }));
}

/** A fresh token; rejects where only the password helps. Asked several times at once, it asks the server once. */
export function renew(): Promise<Account> {
  if (!refresh) return Promise.reject(new ApiError("session.ended", 401));
  renewing ??= api
    .post<Signed>("/refresh", { refresh }, { as: null })
    .then(take)
    .finally(() => (renewing = null));
  return renewing;
}

/** Who the kept token belongs to; null: nobody, or it is of no use any more. */
export async function whoAmI(): Promise<Account | null> {
  if (!token.value) return refresh ? renew() : null;
  try {
    account.value = inOrder(await api.get<Account>("/me"));
  } catch (trouble) {
    if ((trouble as ApiError).status !== 401) throw trouble;
    await renew();
  }
  return account.value;
}

export async function signOut(): Promise<void> {
  await api.post("/logout").catch(() => undefined);
  setToken(null);
  keep("");
  account.value = null;
}

/** Socket tokens are the account's own; a fresh one is asked for when the last was refused or soon runs out. */
export async function socketToken(fresh: boolean): Promise<string> {
  const soon = expiresMs > 0 && expiresMs - Date.now() < SOON_MS;
  if ((fresh || soon || !token.value) && refresh) await renew();
  return token.value ?? "";
}
