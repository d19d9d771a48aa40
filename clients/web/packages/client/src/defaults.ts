/** What `Adda.open` takes where a product says nothing else. */

import { createGrpcWebTransport } from "@connectrpc/connect-web";

import type { TransportMaker } from "./calls.js";
import type { Input } from "./reduce.js";
import type { State } from "./state.js";
import { IndexedDbStore } from "./store/indexeddb.js";
import { MemoryStore } from "./store/memory.js";
import type { Store } from "./store/store.js";

export function web(server: string): TransportMaker {
  return (interceptors) => createGrpcWebTransport({ baseUrl: server, interceptors });
}

export async function openStore(name: string, me: string): Promise<Store> {
  if (typeof indexedDB === "undefined") return new MemoryStore(me);
  // A browser that keeps nothing, as some do in private windows, forgets with the tab.
  return IndexedDbStore.open(name, me).catch(() => new MemoryStore(me));
}

/** What is of the moment, for a tab that has just opened. */
export function momentOf(state: State): Input[] {
  return [
    { type: "limits", limits: state.limits, skew: state.skew },
    { type: "link", link: state.link },
    { type: "notices", notices: [...state.notices.values()], read: [], unread: state.unreadNotices },
    ...(state.preferences ? [{ type: "preferences", preferences: state.preferences } as const] : []),
    ...[...state.presence].map(([userId, presence]) => ({ type: "presence", userId, presence }) as const),
  ];
}
