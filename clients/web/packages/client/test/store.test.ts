import "fake-indexeddb/auto";

import { describe, expect, test } from "vitest";

import { blankChat } from "../src/join.js";
import { reduce, type Input } from "../src/reduce.js";
import { unread } from "../src/select.js";
import { emptyState } from "../src/state.js";
import { IndexedDbStore } from "../src/store/indexeddb.js";
import { MemoryStore } from "../src/store/memory.js";
import type { Store } from "../src/store/store.js";
import { BOB, CHAT, ME, deleted, direct, message, pending, read, seen, sent } from "./make.js";

const chat: Input = { type: "chat", chat: direct() };
let n = 0;

const stores: [string, () => Promise<{ one: Store; other: Store }>][] = [
  ["memory", () => {
    const store = new MemoryStore(ME);
    return Promise.resolve({ one: store, other: store });
  }],
  ["IndexedDB", async () => {
    const name = `test ${++n}`;
    return { one: await IndexedDbStore.open(name, ME), other: await IndexedDbStore.open(name, ME) };
  }],
];

async function picture(store: Store): Promise<ReturnType<typeof emptyState>> {
  return reduce(emptyState(ME), ...(await store.all()).rows);
}

describe.each(stores)("a store: %s", (_, open) => {
  test("joins what comes with what it holds, and answers the rows that changed", async () => {
    const { one } = await open();
    await one.commit([chat, sent(1, BOB), sent(2, BOB)]);
    const { rows } = await one.commit([sent(1, BOB, { revision: 1, text: "edited" }), sent(2, BOB)]);
    expect(rows.flatMap((row) => (row.type === "message" ? [row.message.text] : []))).toEqual(["edited"]);
    expect((await one.messages(CHAT, 1, 9)).map(({ text }) => text)).toEqual(["edited", "text 2"]);
    expect(unread(await picture(one), CHAT)).toBe(2);
  });

  test("two tabs that commit at once lose nothing to each other", async () => {
    const { one, other } = await open();
    await one.commit([chat]);
    await Promise.all(Array.from({ length: 20 }, (_, i) =>
      (i % 2 ? one : other).commit([sent(i + 1, BOB), seen([i + 1, i + 1])])));
    const state = await picture(other);
    expect(state.chats.get(CHAT)!.held).toEqual([[1, 20]]);
    expect(state.sets.get(CHAT)!.get(ME)!.seen).toEqual([[1, 20]]);
    expect(unread(state, CHAT)).toBe(0);
  });

  test("numbers its commits one after the other, whoever makes them", async () => {
    const { one, other } = await open();
    const numbers = [];
    for (const store of [one, other, one]) numbers.push((await store.commit([chat])).n);
    expect(numbers).toEqual([1, 2, 3]);
    expect((await other.all()).n).toBe(3);
  });

  test("keeps a checkpoint with the rows it covers", async () => {
    const { one, other } = await open();
    expect(await one.checkpoint()).toBeNull();
    await one.commit([chat, sent(1, BOB)], { token: new Uint8Array([1, 2]), asOf: 5 });
    expect(await other.checkpoint()).toEqual({ token: new Uint8Array([1, 2]), asOf: 5 });
  });

  test("a commit that fails keeps nothing of itself", async () => {
    const { one } = await open();
    await one.commit([chat], { token: new Uint8Array([1]), asOf: 1 });
    const bad = { type: "message", message: null } as unknown as Input;
    await expect(async () => one.commit([sent(1, BOB), bad], { token: new Uint8Array([2]), asOf: 2 })).rejects.toThrow();
    expect(await one.messages(CHAT, 1, 9)).toEqual([]);
    expect((await one.checkpoint())?.asOf).toBe(1);
  });

  test("the outbox is kept until the message is there, by whatever way", async () => {
    const { one, other } = await open();
    const row = pending("me-2");
    await one.commit([chat, { type: "pending", row }]);
    expect([...(await picture(other)).outbox.values()]).toEqual([row]);
    const { rows } = await other.commit([sent(2, ME)]);
    expect(rows).toContainEqual({ type: "settled", clientMessageId: "me-2" });
    expect((await picture(one)).outbox.size).toBe(0);
  });

  test("a deletion finds its message, and the preview follows", async () => {
    const { one } = await open();
    await one.commit([chat, sent(1, BOB)]);
    await one.commit([deleted(1, BOB, 1)]);
    const state = await picture(one);
    expect(state.chats.get(CHAT)!.last).toMatchObject({ text: "", deletedAt: 5_000 });
    expect(unread(state, CHAT)).toBe(0);
  });

  test("of a chat that was left only that is kept; one that is forgotten is gone", async () => {
    const { one } = await open();
    await one.commit([chat, sent(1, BOB), read(BOB, [1, 1]), { type: "pending", row: pending("x") }]);
    await one.commit([{ type: "chat", chat: { ...blankChat(CHAT), removedAt: 9 } }]);
    const left = await picture(one);
    expect([left.chats.get(CHAT)!.removedAt, left.sets.size, left.outbox.size]).toEqual([9, 0, 0]);
    expect(await one.messages(CHAT, 1, 9)).toEqual([]);
    await one.commit([{ type: "forget", chatId: CHAT }]);
    expect((await picture(one)).chats.size).toBe(0);
  });

  test("names the device once, counts streams, and keeps the older note of two", async () => {
    const { one, other } = await open();
    expect([await one.device("a"), await other.device("b")]).toEqual(["a", "a"]);
    expect([await one.generation(), await other.generation(), await one.generation()]).toEqual([1, 2, 3]);
    await one.noteStale(["x", "y"], 20);
    await other.noteStale(["x"], 10);
    await one.noteStale(["x"], 30);
    await one.dropStale("y");
    expect([...(await other.stale())]).toEqual([["x", 10]]);
  });

  test("answers messages in their order, within bounds, of one chat alone", async () => {
    const { one } = await open();
    await one.commit([10, 9, 2, 1].map((seq) => sent(seq, BOB)));
    await one.commit([{ type: "message", message: { ...message(2, BOB), chatId: "d" } }]);
    expect((await one.messages(CHAT, 2, 9)).map(({ seq }) => seq)).toEqual([2, 9]);
  });
});
