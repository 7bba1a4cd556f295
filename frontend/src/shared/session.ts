// Who is signed in to a console: agents, merchants and providers, with login and password.
import { ref } from "vue";
import { api, setToken, token, whenSignedOut } from "./api";

export interface Account {
  id: string;
  name: string;
  role: "agent" | "merchant" | "provider";
  shops: { id: string; slug: string; name: string }[];
}

interface Signed {
  token: string;
  account: Account;
}

export const account = ref<Account | null>(null);
whenSignedOut(() => (account.value = null));

export async function signIn(login: string, password: string): Promise<Account> {
  const signed = await api.post<Signed>("/login", { login, password }, { as: null });
  setToken(signed.token);
  account.value = signed.account;
  return signed.account;
}

/** Who the kept token belongs to; null: nobody, or it is of no use any more. */
export async function whoAmI(): Promise<Account | null> {
  if (!token.value) return null;
  account.value = await api.get<Account>("/me");
  return account.value;
}

export async function signOut(): Promise<void> {
  await api.post("/logout").catch(() => undefined);
  setToken(null);
  account.value = null;
}

/** Socket tokens are the account's own; a fresh one is asked for after the hub refused the last. */
export async function socketToken(fresh: boolean): Promise<string> {
  if (fresh) {
    const renewed = await api.post<{ token: string }>("/token");
    setToken(renewed.token);
  }
  return token.value ?? "";
}
