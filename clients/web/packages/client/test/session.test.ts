import { Code } from "@connectrpc/connect";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";

import { Adda } from "../src/adda.js";
import { CloseReason, ResumeOutcome } from "../src/gen/adda/v1/stream_pb.js";
import { pendingIn, tick, unread } from "../src/select.js";
import { messageAt } from "../src/state.js";
import { MemoryStore } from "../src/store/memory.js";
import { FakeServer, refuse, text } from "./fake.js";
import { BOB, CHAT, ME } from "./make.js";

let server: FakeServer;
let store: MemoryStore;
let tokens: number;
const open: Adda[] = [];

beforeEach(() => {
  server = new FakeServer();
  store = new MemoryStore(ME);
  tokens = 0;
});

afterEach(() => {
  for (const adda of open.splice(0)) adda.close();
});

async function enter(): Promise<Adda> {
  const adda = await Adda.open({
    server: "http://fake", user: ME, store, transport: server.transport, token: () => `token${++tokens}`,
    // The lower end of each pause, so that a test need not wait.
    env: { now: () => Date.now(), random: () => 0, uuid: () => crypto.randomUUID() },
  });
  open.push(adda);
  return adda;
}

async function up(): Promise<Adda> {
  // A device that has the chat and a token: its streams resume.
  await store.commit([], { token: new Uint8Array([9]), asOf: 9 });
  const adda = await enter();
  await until(() => adda.state.link.kind === "up");
  server.stream.event({ case: "chatUpdated", value: { chat: server.chats[0]! } });
  await until(() => (adda.state.chats.get(CHAT)?.count.lastSeq ?? -1) >= 0);
  return adda;
}

function until(holds: () => boolean): Promise<void> {
  return vi.waitFor(() => expect(holds()).toBe(true), { timeout: 8_000, interval: 5 });
}

describe("a stream", () => {
  test("opens with the device, one generation more each time, and the newest token", async () => {
    const adda = await up();
    expect(server.stream.hello).toMatchObject({ generation: 1, resumeToken: new Uint8Array([9]), instanceId: expect.anything() });
    expect(server.stream.authorization).toBe("Bearer token1");
    server.stream.sent(text(1));
    server.stream.checkpoint(10);
    await until(() => unread(adda.state, CHAT) === 1);
    server.stream.close(CloseReason.MOVE);
    await until(() => server.streams.length === 2);
    expect(server.stream.hello).toMatchObject({ generation: 2, resumeToken: new Uint8Array([10]) });
    expect(server.stream.hello.deviceId).toBe(server.streams[0]!.hello.deviceId);
  });

  test("a checkpoint is not kept without what came before it", async () => {
    const adda = await up();
    const commit = store.commit.bind(store);
    vi.spyOn(store, "commit").mockImplementationOnce(() => Promise.reject(new Error("the disk is full")));
    server.stream.sent(text(1));
    server.stream.checkpoint(10);
    await until(() => server.streams.length === 2);
    expect(server.stream.hello.resumeToken).toEqual(new Uint8Array([9]));
    store.commit = commit;
    server.stream.sent(text(1));
    await until(() => unread(adda.state, CHAT) === 1);
  });

  test("that is silent too long is opened anew", async () => {
    server.opens = (stream) => stream.ready(ResumeOutcome.RESUMED, { timeoutMs: 1_000 });
    await up();
    await until(() => server.streams.length >= 2);
  });

  test("that is silent ends, also where what reads it does not hear of that", async () => {
    // Node forgets whom to tell of an abort: https://github.com/nodejs/undici/issues/3644.
    server.deaf = true;
    server.opens = (stream) => stream.ready(ResumeOutcome.RESUMED, { timeoutMs: 1_000 });
    await up();
    await until(() => server.streams.length >= 2);
  });

  test("that the server does not know any more is opened anew", async () => {
    server.opens = (stream) => stream.ready(ResumeOutcome.RESUMED, { everyMs: 500 });
    await up();
    server.fails.set("heartbeat", [refuse(Code.FailedPrecondition, "SESSION_NOT_FOUND")]);
    await until(() => server.streams.length === 2);
  });

  test("that cannot be reached from elsewhere stays", async () => {
    server.opens = (stream) => stream.ready(ResumeOutcome.RESUMED, { everyMs: 500 });
    await up();
    server.fails.set("heartbeat", [refuse(Code.Unavailable, "NODE_UNREACHABLE", 1_000)]);
    await until(() => server.heartbeats >= 3);
    expect(server.streams.length).toBe(1);
  });

  test("gets a token before the old one runs out", async () => {
    server.opens = (stream) => stream.ready(ResumeOutcome.RESUMED, { tokenMs: 2_000 });
    await up();
    await until(() => server.tokens.includes("Bearer token2"));
    expect(server.streams.length).toBe(1);
  });
});

describe("the end of a stream", () => {
  test("of the first class: back at once", async () => {
    await up();
    const ended = performance.now();
    server.stream.close(CloseReason.SLOW_CONSUMER);
    await until(() => server.streams.length === 2);
    expect(performance.now() - ended).toBeLessThan(400);
  });

  test("of the second: back after the pause", async () => {
    const adda = await up();
    const ended = performance.now();
    server.stream.close(CloseReason.SHUTTING_DOWN, 1_200);
    await until(() => adda.state.link.kind === "waiting");
    await until(() => server.streams.length === 2);
    expect(performance.now() - ended).toBeGreaterThan(590);
  });

  test("of the third: with a new token", async () => {
    await up();
    server.stream.close(CloseReason.TOKEN_EXPIRED);
    await until(() => server.streams.length === 2);
    expect(server.stream.authorization).toBe("Bearer token2");
  });

  test("of the fourth: not by itself", async () => {
    const adda = await up();
    server.stream.close(CloseReason.SUPERSEDED);
    await until(() => adda.state.link.kind === "stopped");
    expect(adda.state.link).toEqual({ kind: "stopped", reason: "superseded" });
    adda.wake();
    await until(() => server.streams.length === 2);
  });

  test("without a word: back after a pause, sooner when told to", async () => {
    const adda = await up();
    server.stream.cut();
    await until(() => adda.state.link.kind === "waiting");
    expect(server.streams.length).toBe(1);
    adda.wake();
    await until(() => server.streams.length === 2);
  });

  test("with a token that is refused again and again: the user has to sign in", async () => {
    server.fails.set("subscribe", Array.from({ length: 5 }, () => refuse(Code.Unauthenticated, "TOKEN_REVOKED")));
    const adda = await enter();
    await until(() => adda.state.link.kind === "stopped");
    expect(adda.state.link).toEqual({ kind: "stopped", reason: "signed-out" });
  });
});

describe("after a gap", () => {
  test("no checkpoint is kept before the inbox is read; chats that are gone are forgotten", async () => {
    await store.commit([{ type: "chat", chat: { ...(await import("./make.js")).direct(), chatId: "gone" } }],
      { token: new Uint8Array([3]), asOf: 3 });
    let listed = (): void => {};
    server.listing = new Promise((resolve) => (listed = resolve));
    server.opens = (stream) => stream.ready(ResumeOutcome.GAP);
    const adda = await enter();
    await until(() => adda.state.link.kind === "up");
    server.stream.checkpoint(20);
    server.stream.event({ case: "userUpdated", value: { user: { userId: BOB, displayName: "Bob", updatedAt: { seconds: 1n } } } });
    await until(() => adda.state.users.get(BOB)?.name === "Bob");
    expect((await store.checkpoint())?.asOf).toBe(3);
    expect([...(await store.stale())]).toEqual([["gone", 3]]);
    listed();
    await until(() => adda.state.chats.has(CHAT) && !adda.state.chats.has("gone"));
    await vi.waitFor(async () => expect((await store.checkpoint())?.asOf).toBe(20));
  });

  test("an inbox that cannot be read ends the stream, and the old token stays", async () => {
    await store.commit([], { token: new Uint8Array([3]), asOf: 3 });
    server.opens = (stream) => {
      stream.ready(ResumeOutcome.GAP);
      stream.checkpoint(20);
    };
    server.fails.set("listChats", [refuse(Code.Internal, "X"), refuse(Code.Internal, "X")]);
    const adda = await enter();
    await until(() => server.streams.length === 2);
    expect(server.stream.hello.resumeToken).toEqual(new Uint8Array([3]));
    await until(() => adda.state.link.kind === "waiting" || server.streams.length >= 2);
  });
});

describe("what arrives", () => {
  test("is acknowledged, gathered, own messages in it", async () => {
    await up();
    server.history = [text(1), text(2, ME), text(3)];
    for (const message of server.history) server.stream.sent(message);
    await until(() => server.delivered.length > 0);
    expect(server.delivered).toEqual([[[1, 3]]]);
  });

  test("and could not be acknowledged, is so on the next stream", async () => {
    await up();
    server.fails.set("ackDelivered", [refuse(Code.NotFound, "CHAT_NOT_FOUND")]);
    server.stream.sent(text(1));
    await until(() => server.fails.get("ackDelivered")!.length === 0);
    server.stream.close(CloseReason.MOVE);
    await until(() => server.delivered.length === 1);
  });

  test("with a hole is made whole", async () => {
    const adda = await up();
    server.history = [1, 2, 3, 4, 5].map((seq) => text(seq));
    adda.show(CHAT);
    server.stream.sent(text(1));
    server.stream.sent(text(5));
    await until(() => adda.state.chats.get(CHAT)!.held.length === 1);
    expect(adda.state.chats.get(CHAT)!.held).toEqual([[1, 5]]);
    expect([2, 3, 4].map((seq) => messageAt(adda.state, CHAT, seq)?.text)).toEqual(["text 2", "text 3", "text 4"]);
  });

  test("of a chat that is not known is asked for", async () => {
    await store.commit([], { token: new Uint8Array([9]), asOf: 9 });
    const adda = await enter();
    await until(() => adda.state.link.kind === "up");
    server.stream.sent(text(1));
    await until(() => adda.state.chats.get(CHAT)?.revision === 1);
  });

  test("and was on screen is read: the badge falls at once", async () => {
    const adda = await up();
    server.history = [text(1), text(2)];
    for (const message of server.history) server.stream.sent(message);
    await until(() => unread(adda.state, CHAT) === 2);
    adda.seen(CHAT, 1, 2);
    expect(unread(adda.state, CHAT)).toBe(0);
    await until(() => server.read.length === 1);
    expect(server.read).toEqual([[[1, 2]]]);
  });
});

describe("the outbox", () => {
  test("keeps the order of writing, one unanswered send a chat at a time", async () => {
    const adda = await up();
    for (const each of ["one", "two", "three"]) void adda.send(CHAT, { text: each });
    await until(() => server.history.length === 3);
    expect(server.history.map((message) => message.text)).toEqual(["one", "two", "three"]);
    await until(() => pendingIn(adda.state, CHAT).length === 0);
  });

  test("repeats with the same id what the server could not take, and what was answered with silence", async () => {
    const adda = await up();
    server.fails.set("sendMessage", [refuse(Code.Unavailable, "STORE_UNAVAILABLE", 100)]);
    server.fails.set("sendMessage after", [refuse(Code.DeadlineExceeded, "TIMED_OUT", 100)]);
    const id = await adda.send(CHAT, { text: "once" });
    void adda.send(CHAT, { text: "behind it" });
    await until(() => pendingIn(adda.state, CHAT).length === 0);
    expect(server.sends.map((send) => send.clientMessageId === id)).toEqual([true, true, true, false]);
    expect(server.history.map((message) => message.text)).toEqual(["once", "behind it"]);
  });

  test("shows what the server will not have, and goes on with the next", async () => {
    const adda = await up();
    server.fails.set("sendMessage", [refuse(Code.PermissionDenied, "BLOCKED")]);
    const id = await adda.send(CHAT, { text: "no" });
    await adda.send(CHAT, { text: "yes" });
    await until(() => server.history.length === 1 && pendingIn(adda.state, CHAT).length === 1);
    expect(pendingIn(adda.state, CHAT)[0]).toMatchObject({ clientMessageId: id, failed: { reason: "BLOCKED" } });
    await adda.retry(id);
    await until(() => pendingIn(adda.state, CHAT).length === 0);
    expect(server.history.map((message) => message.text)).toEqual(["yes", "no"]);
  });

  test("is on disk before it is sent, and goes out after a crash", async () => {
    server.opens = () => {};
    const adda = await enter();
    await adda.send(CHAT, { text: "before the crash" });
    adda.close();
    server.opens = (stream) => stream.ready();
    const next = await enter();
    await until(() => server.history.length === 1 && pendingIn(next.state, CHAT).length === 0);
    expect(server.sends).toHaveLength(1);
  });

  test("a message has one tick by its answer, and its text as the server has it by its event", async () => {
    const adda = await up();
    adda.show(CHAT);
    const id = await adda.send(CHAT, { text: "as typed" });
    await until(() => messageAt(adda.state, CHAT, 1)?.state === 1);
    expect(tick(adda.state, messageAt(adda.state, CHAT, 1)!)).toBe(1);
    server.stream.sent(text(1, ME, { clientMessageId: id, text: "as stored" }));
    await until(() => messageAt(adda.state, CHAT, 1)?.text === "as stored");
    server.stream.event({ case: "messageRead", value: { chatId: CHAT, userId: BOB, seqs: [{ first: 1, last: 1 }] } });
    await until(() => tick(adda.state, messageAt(adda.state, CHAT, 1)!) === 3);
  });
});
