/** The store of a browser: one database a user and server, shared by all tabs. */

import { deleteDB, openDB, type DBSchema, type IDBPDatabase, type IDBPTransaction } from "idb";

import type { Block, Chat, Message, Pending, Sets, User } from "../model.js";
import { apply, type Input } from "../reduce.js";
import { changeOf, inputsOf, keysOf, stateOf, told, type Change, type Checkpoint, type Committed, type Keys,
  type Rows, type Store } from "./store.js";

interface Schema extends DBSchema {
  chats: { key: string; value: Chat };
  messages: { key: [string, number]; value: Message };
  sets: { key: [string, string]; value: Sets };
  users: { key: string; value: User };
  blocks: { key: string; value: Block };
  outbox: { key: string; value: Pending };
  /** Chats whose older messages may have changed since. */
  stale: { key: string; value: number };
  /** `n`, `device`, `generation`, `checkpoint`. */
  meta: { key: string; value: unknown };
}

const STORES = ["chats", "messages", "sets", "users", "blocks", "outbox", "stale", "meta"] as const;
type Tx = IDBPTransaction<Schema, (typeof STORES)[number][], "readwrite">;

/** One more when rows change their shape: what was kept before is dropped and comes anew from the server. */
const VERSION = 1;

export class IndexedDbStore implements Store {
  private constructor(private readonly db: IDBPDatabase<Schema>, private readonly me: string) {}

  static async open(name: string, me: string): Promise<IndexedDbStore> {
    const db = await openDB<Schema>(name, VERSION, {
      upgrade(db) {
        for (const old of db.objectStoreNames) db.deleteObjectStore(old);
        db.createObjectStore("chats", { keyPath: "chatId" });
        db.createObjectStore("messages", { keyPath: ["chatId", "seq"] });
        db.createObjectStore("sets", { keyPath: ["chatId", "userId"] });
        db.createObjectStore("users", { keyPath: "userId" });
        db.createObjectStore("blocks", { keyPath: "userId" });
        db.createObjectStore("outbox", { keyPath: "clientMessageId" });
        db.createObjectStore("stale");
        db.createObjectStore("meta");
      },
      // A newer page, or one that signs out, wants the database for itself.
      blocking: (_current, _blocked, event) => (event.target as IDBDatabase).close(),
    });
    return new IndexedDbStore(db, me);
  }

  async commit(inputs: readonly Input[], checkpoint?: Checkpoint): Promise<Committed> {
    const tx = this.db.transaction([...STORES], "readwrite");
    try {
      const { state, touched } = apply(stateOf(this.me, await load(tx, keysOf(inputs))), inputs);
      const change = changeOf(state, touched);
      const meta = tx.objectStore("meta");
      const n = (((await meta.get("n")) as number | undefined) ?? 0) + 1;
      const kept = checkpoint ? meta.put(checkpoint, "checkpoint") : null;
      await Promise.all([write(tx, change), meta.put(n, "n"), kept, tx.done]);
      return { n, rows: told(change) };
    } catch (error) {
      tx.done.catch(() => {});
      throw error;
    }
  }

  async all(): Promise<Committed> {
    const tx = this.db.transaction([...STORES]);
    const [chats, sets, users, blocks, outbox, n] = await Promise.all([
      tx.objectStore("chats").getAll(),
      tx.objectStore("sets").getAll(),
      tx.objectStore("users").getAll(),
      tx.objectStore("blocks").getAll(),
      tx.objectStore("outbox").getAll(),
      tx.objectStore("meta").get("n"),
    ]);
    return { n: (n as number | undefined) ?? 0, rows: inputsOf({ chats, sets, users, blocks, outbox, messages: [] }) };
  }

  messages(chatId: string, first: number, last: number): Promise<readonly Message[]> {
    return this.db.getAll("messages", IDBKeyRange.bound([chatId, first], [chatId, last]));
  }

  async checkpoint(): Promise<Checkpoint | null> {
    return ((await this.db.get("meta", "checkpoint")) as Checkpoint | undefined) ?? null;
  }

  async device(fresh: string): Promise<string> {
    const tx = this.db.transaction("meta", "readwrite");
    const held = (await tx.store.get("device")) as string | undefined;
    await Promise.all([held === undefined ? tx.store.put(fresh, "device") : null, tx.done]);
    return held ?? fresh;
  }

  async generation(): Promise<number> {
    const tx = this.db.transaction("meta", "readwrite");
    const next = (((await tx.store.get("generation")) as number | undefined) ?? 0) + 1;
    await Promise.all([tx.store.put(next, "generation"), tx.done]);
    return next;
  }

  async stale(): Promise<ReadonlyMap<string, number>> {
    const tx = this.db.transaction("stale");
    const [keys, values] = await Promise.all([tx.store.getAllKeys(), tx.store.getAll()]);
    return new Map(keys.map((key, i) => [key, values[i]!]));
  }

  async noteStale(chatIds: readonly string[], since: number): Promise<void> {
    const tx = this.db.transaction("stale", "readwrite");
    await Promise.all(chatIds.map(async (chatId) => {
      const held = await tx.store.get(chatId);
      if (held === undefined || held > since) await tx.store.put(since, chatId);
    }));
    await tx.done;
  }

  async dropStale(chatId: string): Promise<void> {
    await this.db.delete("stale", chatId);
  }

  async destroy(): Promise<void> {
    this.db.close();
    await deleteDB(this.db.name);
  }

  close(): void {
    this.db.close();
  }
}

async function load(tx: Tx, keys: Keys): Promise<Rows> {
  const present = async <T>(asked: Promise<T | undefined>[]): Promise<T[]> =>
    (await Promise.all(asked)).filter((row) => row !== undefined);
  const [chats, messages, sets, users, blocks, outbox] = await Promise.all([
    present([...keys.chats].map((id) => tx.objectStore("chats").get(id))),
    present([...keys.messages].flatMap(([chatId, seqs]) =>
      [...seqs].map((seq) => tx.objectStore("messages").get([chatId, seq])))),
    present([...keys.sets].flatMap(([chatId, users]) =>
      [...users].map((user) => tx.objectStore("sets").get([chatId, user])))),
    present([...keys.users].map((id) => tx.objectStore("users").get(id))),
    present([...keys.blocks].map((id) => tx.objectStore("blocks").get(id))),
    // Small, and any message may settle any row.
    tx.objectStore("outbox").getAll(),
  ]);
  return { chats, messages, sets, users, blocks, outbox };
}

/** Everything is put before the first answer is waited for. */
function write(tx: Tx, change: Change): Promise<unknown> {
  const ofChat = (id: string): IDBKeyRange => IDBKeyRange.bound([id], [id, []]);
  const { put } = change;
  return Promise.all([
    ...change.emptied.flatMap((id): Promise<unknown>[] => [
      tx.objectStore("messages").delete(ofChat(id)),
      tx.objectStore("sets").delete(ofChat(id)),
      tx.objectStore("stale").delete(id),
    ]),
    ...change.forgotten.map((id) => tx.objectStore("chats").delete(id)),
    ...change.settled.map((id) => tx.objectStore("outbox").delete(id)),
    ...put.chats.map((row) => tx.objectStore("chats").put(row)),
    ...put.messages.map((row) => tx.objectStore("messages").put(row)),
    ...put.sets.map((row) => tx.objectStore("sets").put(row)),
    ...put.users.map((row) => tx.objectStore("users").put(row)),
    ...put.blocks.map((row) => tx.objectStore("blocks").put(row)),
    ...put.outbox.map((row) => tx.objectStore("outbox").put(row)),
  ]);
}
