/**
 * Who uses this page. A product brings its own sign-in: it opens the page as `#token=…` or, for development, the
 * server signs in by name. A token is kept for as long as it lasts, so that a reload does not ask again.
 */

export interface Account {
  readonly user: string;
  readonly name: string;
}

const KEY = "adda.account";
const TOKEN = "adda.token";

/** The server does not let anyone in by name, or not this one. */
export class SignInError extends Error {
  constructor(readonly kind: "unreachable" | "not-here" | "refused", message: string) {
    super(message);
  }
}

export function remembered(): Account | null {
  const given = fromAddress();
  if (given) return given;
  try {
    const held = JSON.parse(localStorage.getItem(KEY) ?? "null") as Account | null;
    return held && typeof held.user === "string" ? { user: held.user, name: String(held.name) } : null;
  } catch {
    return null;
  }
}

/** A token in the part of the address that no server sees. It is taken out of the address at once. */
function fromAddress(): Account | null {
  const token = new URLSearchParams(location.hash.slice(1)).get("token");
  if (!token) return null;
  history.replaceState(null, "", location.pathname + location.search);
  const claims = claimsOf(token);
  if (typeof claims?.["sub"] !== "string") return null;
  const account = { user: claims["sub"], name: String(claims["name"] ?? claims["sub"]) };
  sessionStorage.setItem(TOKEN, JSON.stringify({ user: account.user, token }));
  localStorage.setItem(KEY, JSON.stringify(account));
  return account;
}

function claimsOf(token: string): Record<string, unknown> | null {
  try {
    const part = token.split(".")[1]!.replace(/-/g, "+").replace(/_/g, "/");
    return JSON.parse(new TextDecoder().decode(Uint8Array.from(atob(part), (c) => c.charCodeAt(0)))) as
      Record<string, unknown>;
  } catch {
    return null;
  }
}

export function remember(account: Account): void {
  localStorage.setItem(KEY, JSON.stringify(account));
}

export function forget(): void {
  localStorage.removeItem(KEY);
  sessionStorage.removeItem(TOKEN);
}

/** A token of the account: the one that is kept, or a new one. */
export async function token(server: string, account: Account, renew: boolean): Promise<string> {
  const held = JSON.parse(sessionStorage.getItem(TOKEN) ?? "null") as { user: string; token: string } | null;
  if (held?.user === account.user && !renew) return held.token;
  const fresh = await ask(server, account);
  sessionStorage.setItem(TOKEN, JSON.stringify({ user: account.user, token: fresh }));
  return fresh;
}

async function ask(server: string, account: Account): Promise<string> {
  const answer = await fetch(`${server}/dev/token`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(account),
  }).catch(() => null);
  if (!answer || answer.status >= 500) throw new SignInError("unreachable", "nobody answers");
  if (answer.status === 404 || answer.status === 405) throw new SignInError("not-here", "no sign-in by name here");
  const said = (await answer.json().catch(() => ({}))) as { token?: string; error?: string };
  if (!answer.ok || !said.token) throw new SignInError("refused", said.error ?? "refused");
  return said.token;
}
