/**
 * Where the server is: where the page came from, unless `?server=` or a file `adda.json` beside the page says
 * otherwise. A hosted page needs its origin in the server's `--cors-origin`, and the server in `connect-src` of its
 * Content-Security-Policy.
 */

export interface Config {
  readonly server: string;
}

export async function readConfig(): Promise<Config> {
  const asked = new URLSearchParams(location.search).get("server");
  if (asked && isServer(asked)) return { server: clean(asked) };
  const beside = await fetch("./adda.json", { cache: "no-cache" }).then((answer) => (answer.ok ? answer.json() : null))
    .catch(() => null) as { server?: unknown } | null;
  if (typeof beside?.server === "string" && isServer(beside.server)) return { server: clean(beside.server) };
  return { server: location.origin };
}

function isServer(address: string): boolean {
  return URL.canParse(address) && ["http:", "https:"].includes(new URL(address).protocol);
}

function clean(address: string): string {
  return address.replace(/\/+$/, "");
}
