import fc from "fast-check";
import { describe, expect, test } from "vitest";

import { blankChat, isMember } from "../src/join.js";
import type { Message, Reaction } from "../src/model.js";
import { reduce, type Input } from "../src/reduce.js";
import { firstUnread, inbox, pendingIn, tick, typingIn, unread } from "../src/select.js";
import { emptyState, messageAt, type State } from "../src/state.js";
import { BOB, CHAT, ME, deleted, delivered, direct, message, pending, read, seen, sent } from "./make.js";

const start = (...inputs: Input[]): State => reduce(emptyState(ME), { type: "chat", chat: direct() }, ...inputs);
const at = (state: State, seq: number): Message => messageAt(state, CHAT, seq)!;

/** What a person would see, and what is kept. */
function picture(state: State): unknown {
  const seqs = Array.from({ length: 12 }, (_, i) => i + 1);
  return {
    chats: [...state.chats].sort(),
    messages: seqs.map((seq) => messageAt(state, CHAT, seq)),
    ticks: seqs.map((seq) => messageAt(state, CHAT, seq)).map((held) => (held ? tick(state, held) : null)),
    sets: [...(state.sets.get(CHAT) ?? [])].sort(),
    outbox: [...state.outbox].sort(),
    unread: unread(state, CHAT),
    settings: state.chats.get(CHAT)?.settings,
    users: [...state.users].sort(),
  };
}

// Of one revision there is one content: what a server says of a message is a function of both.
const seq = fc.integer({ min: 1, max: 8 });
const senderOf = (n: number): string => (n % 2 === 0 ? ME : BOB);
const LAST = 4;

function contentAt(n: number, revision: number): Message {
  const gone = revision === LAST;
  const reactions: Reaction[] = revision % 2 === 1 ? [{ emoji: "👍", userIds: [BOB, ME], count: 2 }] : [];
  return message(n, senderOf(n), {
    revision, text: gone ? "" : `text ${n} as of ${revision}`, editedAt: revision > 0 && !gone ? 2_000 + revision : 0,
    deletedAt: gone ? 5_000 : 0, reactions: gone ? [] : reactions, reactionsRevision: revision,
    mine: !gone && reactions.length > 0 ? ["👍"] : [], mineRevision: revision,
  });
}

const run = fc.tuple(seq, seq).map(([a, b]) => [Math.min(a, b), Math.max(a, b)] as const);

const input: fc.Arbitrary<Input> = fc.oneof(
  fc.tuple(seq, fc.integer({ min: 0, max: LAST })).map(([n, revision]): Input =>
    ({ type: "message", message: contentAt(n, revision) })),
  seq.map((n) => deleted(n, senderOf(n), LAST)),
  fc.tuple(seq, fc.integer({ min: 1, max: LAST - 1 }), fc.constantFrom(ME, BOB)).map(([n, revision, userId]): Input => {
    const { reactions } = contentAt(n, revision);
    return { type: "reactions", chatId: CHAT, seq: n, messageId: `m${n}`, reactions, revision, userId,
      userEmojis: reactions.length > 0 ? ["👍"] : [] };
  }),
  seq.map((n): Input => ({ type: "hidden", chatId: CHAT, seq: n, messageId: `m${n}` })),
  run.map((each) => read(BOB, each)),
  run.map((each) => delivered(BOB, each)),
  run.map((each) => read(ME, each)),
  run.map((each) => seen(each)),
  fc.tuple(seq, fc.integer({ min: 0, max: 3 })).map(([lastSeq, count]): Input =>
    ({ type: "count", chatId: CHAT, count: { unread: count, lastSeq } })),
  fc.integer({ min: 1, max: 4 }).map((revision): Input =>
    ({ type: "chat", chat: direct({ revision, title: `title ${revision}`, membersRevision: revision,
      count: { unread: 0, lastSeq: -1 } }) })),
  fc.integer({ min: 0, max: 3 }).map((revision): Input =>
    ({ type: "settings", chatId: CHAT,
      settings: { revision, pinnedAt: revision * 7, archived: revision === 2, mutedUntil: 0 } })),
  fc.integer({ min: 0, max: 3 }).map((asOf): Input =>
    ({ type: "user", user: { userId: BOB, name: `Bob ${asOf}`, avatarUrl: "", asOf } })),
  fc.tuple(seq, fc.integer({ min: 1, max: 3 })).map(([n, version]): Input =>
    ({ type: "pending", row: pending(`${senderOf(n)}-${n}`, { version, text: `version ${version}` }) })),
);

describe("any order, any repetition, the same picture", () => {
  test("of whatever a server may say", () => {
    const shuffled = fc.array(input, { maxLength: 30 }).chain((inputs) =>
      fc.tuple(fc.constant(inputs), fc.shuffledSubarray([...inputs, ...inputs], { minLength: inputs.length * 2 })));
    fc.assert(fc.property(shuffled, ([inputs, other]) => {
      // One stored copy of each own message ends the outbox's wait, so that none is left to chance.
      const first = reduce(emptyState(ME), ...inputs);
      expect(picture(reduce(emptyState(ME), ...other))).toEqual(picture(first));
    }), { numRuns: 500 });
  });

  test("of two halves that were kept apart and joined row by row, as two tabs do", () => {
    const rowsOf = (state: State): Input[] => [
      ...[...state.chats.values()].map((chat) => ({ type: "chat", chat }) as const),
      ...[...state.sets.values()].flatMap((users) => [...users.values()])
        .map((sets) => ({ type: "sets", sets }) as const),
      ...[...state.users.values()].map((user) => ({ type: "user", user }) as const),
      ...Array.from({ length: 12 }, (_, i) => messageAt(state, CHAT, i)).flatMap((held) =>
        (held ? [{ type: "message", message: held } as const] : [])),
    ];
    const inputs = fc.array(input.filter((each) => each.type !== "pending"), { maxLength: 20 });
    fc.assert(fc.property(inputs, inputs, (left, right) => {
      const [a, b] = [reduce(emptyState(ME), ...left), reduce(emptyState(ME), ...right)];
      const joined = reduce(a, ...rowsOf(b));
      expect(picture(joined)).toEqual(picture(reduce(emptyState(ME), ...left, ...right)));
      expect(picture(reduce(b, ...rowsOf(a)))).toEqual(picture(joined));
    }), { numRuns: 300 });
  });

  test("and the state before is left as it was", () => {
    fc.assert(fc.property(fc.array(input, { maxLength: 15 }), fc.array(input, { maxLength: 15 }), (before, after) => {
      const state = reduce(emptyState(ME), ...before);
      const told = JSON.stringify(picture(state));
      reduce(state, ...after);
      expect(JSON.stringify(picture(state))).toBe(told);
    }));
  });
});

test("what brings nothing new changes nothing", () => {
  const state = start(sent(1, BOB), read(BOB, [1, 1]));
  const again = reduce(state, sent(1, BOB), read(BOB, [1, 1]), { type: "chat", chat: direct() });
  expect(again.chats).toBe(state.chats);
  expect(again.messages).toBe(state.messages);
  expect(again.sets).toBe(state.sets);
});

describe("messages", () => {
  test("an edit that overtakes the message stays", () => {
    const state = start(sent(1, BOB, { revision: 1, text: "edited" }), sent(1, BOB));
    expect(at(state, 1).text).toBe("edited");
  });

  test("a deletion that overtakes the message leaves its place and no content", () => {
    const state = start(deleted(1, BOB, 1), sent(1, BOB));
    expect(at(state, 1)).toMatchObject({ text: "", deletedAt: 5_000, createdAt: 1_001, senderId: BOB });
    expect(unread(state, CHAT)).toBe(0);
  });

  test("reactions do not take an edit's place", () => {
    const reactions = [{ emoji: "👍", userIds: [BOB], count: 1 }];
    const state = start(sent(1, BOB),
      { type: "reactions", chatId: CHAT, seq: 1, messageId: "m1", reactions, revision: 2, userId: BOB,
        userEmojis: ["👍"] },
      { type: "message", message: message(1, BOB, { revision: 1, text: "edited", reactionsRevision: 1 }) });
    expect(at(state, 1)).toMatchObject({ text: "edited", reactions });
  });

  test("own reactions are known where a list leaves people out", () => {
    const many = [{ emoji: "👍", userIds: [BOB], count: 70 }];
    const event = { type: "reactions", chatId: CHAT, seq: 1, messageId: "m1", reactions: many } as const;
    const mine = reduce(start(sent(1, BOB)), { ...event, revision: 1, userId: ME, userEmojis: ["👍"] });
    expect(at(reduce(mine, { ...event, revision: 2, userId: "eve", userEmojis: ["👍"] }), 1).mine).toEqual(["👍"]);
  });

  test("an answer that has the ticks, and an event that has none: the ticks stay", () => {
    const state = start(sent(2, ME, { state: 2, deliveredTo: [BOB] }), sent(2, ME, { revision: 1, text: "new" }));
    expect(tick(state, at(state, 2))).toBe(2);
  });
});

describe("the outbox", () => {
  test("settles once, by the answer or the event, whichever is first", () => {
    const row: Input = { type: "pending", row: pending("me-2") };
    const state = start(row, sent(2, ME), row);
    expect(pendingIn(state, CHAT)).toEqual([]);
    expect(at(state, 2).text).toBe("text 2");
  });

  test("shows rows in the order of writing, and the later version of each", () => {
    const rows = ["b", "a"].map((id, i): Input => ({ type: "pending", row: pending(id, { createdAt: i }) }));
    const failed = pending("a", { createdAt: 1, version: 2, failed: {
      reason: "BLOCKED", message: "", field: "", metadata: {}, requestId: "", retryAfter: null } });
    const state = start(...rows, { type: "pending", row: failed }, ...rows);
    expect(pendingIn(state, CHAT).map((row) => [row.clientMessageId, row.failed?.reason])).toEqual(
      [["b", undefined], ["a", "BLOCKED"]]);
  });
});

describe("unread", () => {
  test("is the newest count and what came since", () => {
    const state = start(sent(1, BOB), sent(2, BOB), sent(3, BOB), sent(4, BOB),
      { type: "count", chatId: CHAT, count: { unread: 2, lastSeq: 3 } });
    expect(unread(state, CHAT)).toBe(3);
  });

  test("falls at once by what was on screen, and is not counted twice when the server knows", () => {
    const state = start(sent(1, BOB), sent(2, BOB), sent(3, BOB),
      { type: "count", chatId: CHAT, count: { unread: 3, lastSeq: 3 } }, seen([1, 2]));
    expect(unread(state, CHAT)).toBe(1);
    const told = reduce(state, read(ME, [1, 2]), { type: "count", chatId: CHAT, count: { unread: 1, lastSeq: 3 } });
    expect(unread(told, CHAT)).toBe(1);
    expect(firstUnread(told, CHAT)).toBe(3);
  });

  test("own messages, deleted ones and silent notes do not count; announcements do", () => {
    const note = (kind: "title" | "announcement") => ({ kind, actorId: "", userIds: [], title: "" });
    const state = start(sent(1, ME), sent(2, BOB), deleted(2, BOB, 1),
      sent(3, "", { note: note("title") }), sent(4, "", { note: note("announcement") }));
    expect(unread(state, CHAT)).toBe(1);
  });

  test("of two counts the one counted later stays, of equals the lower", () => {
    const count = (n: number, lastSeq: number): Input =>
      ({ type: "count", chatId: CHAT, count: { unread: n, lastSeq } });
    expect(unread(start(count(3, 10), count(5, 12)), CHAT)).toBe(5);
    expect(unread(start(count(3, 10), count(0, 9)), CHAT)).toBe(3);
    expect(unread(start(count(3, 10), count(1, 10)), CHAT)).toBe(1);
  });

  test("messages that nobody can see do not keep a badge up", () => {
    const state = start({ type: "chat", chat: direct({ visibleFrom: 5, count: { unread: 2, lastSeq: 9 } }) },
      seen([5, 9]));
    expect(unread(state, CHAT)).toBe(0);
  });
});

describe("ticks", () => {
  test("rise with what the other has received and read, and say nothing of others' messages", () => {
    const state = start(sent(1, BOB), sent(2, ME), sent(4, ME), delivered(BOB, [1, 4]), read(BOB, [1, 2]));
    expect([1, 2, 4].map((n) => tick(state, at(state, n)))).toEqual([0, 3, 2]);
  });

  test("in a group wait for each member who may see the message", () => {
    const member = (userId: string, visibleFrom: number) =>
      ({ userId, role: "member", joinedAt: 1, visibleFrom }) as const;
    const group = direct({ kind: "group", revision: 2, membersRevision: 2, memberCount: 4,
      members: [member(ME, 1), member(BOB, 1), member("ann", 1), member("late", 3)] });
    const state = start({ type: "chat", chat: group }, sent(2, ME), sent(4, ME), read(BOB, [2, 4]), read("ann", [2, 2]),
      delivered("ann", [4, 4]));
    expect([2, 4].map((n) => tick(state, at(state, n)))).toEqual([3, 1]);
  });
});

describe("chats", () => {
  test("one that was left is forgotten, and an older update does not bring it back", () => {
    const gone: Input = { type: "chat", chat: { ...blankChat(CHAT), removedAt: 5 } };
    const state = start(sent(1, BOB), read(BOB, [1, 1]), { type: "pending", row: pending("x") }, gone,
      { type: "chat", chat: direct({ revision: 4 }) }, sent(2, BOB));
    expect(inbox(state)).toEqual([]);
    expect(messageAt(state, CHAT, 1)).toBeUndefined();
    expect(messageAt(state, CHAT, 2)).toBeUndefined();
    expect(pendingIn(state, CHAT)).toEqual([]);
    const back = reduce(state, { type: "chat", chat: direct({ revision: 6 }) });
    expect(isMember(back.chats.get(CHAT)!)).toBe(true);
  });

  test("pinned ones come first, then the newest message", () => {
    const chat = (chatId: string, createdAt: number, pinnedAt: number): Input => ({
      type: "chat",
      chat: { ...direct({ createdAt, settings: { revision: 1, pinnedAt, archived: false, mutedUntil: 0 } }), chatId },
    });
    const state = start(chat("old pin", 1, 10), chat("new pin", 1, 20), chat("quiet", 2_000, 0), sent(1, BOB));
    const moved = reduce(state, { type: "message", message: { ...message(1, BOB), chatId: "quiet", createdAt: 9_000 } });
    expect(inbox(state).map((each) => each.chatId)).toEqual(["new pin", "old pin", "quiet", CHAT]);
    expect(inbox(moved).map((each) => each.chatId)).toEqual(["new pin", "old pin", "quiet", CHAT]);
  });

  test("a list without members does not take them away", () => {
    const state = start({ type: "chat", chat: direct({ revision: 2, members: [], membersRevision: -1 }) });
    expect(state.chats.get(CHAT)!.members).toHaveLength(2);
  });

  test("messages of a chat that is not known yet make no chat of it", () => {
    expect(inbox(reduce(emptyState(ME), sent(1, BOB)))).toEqual([]);
  });
});

describe("of the moment", () => {
  const typing = (now: number, on = true): Input => ({ type: "typing", chatId: CHAT, userId: BOB, typing: on, now });

  test("writing ends with a message, with a word, and with time", () => {
    expect(typingIn(start(typing(0)), CHAT)).toEqual([BOB]);
    expect(typingIn(start(typing(0), sent(1, BOB)), CHAT)).toEqual([]);
    expect(typingIn(start(typing(0), typing(1, false)), CHAT)).toEqual([]);
    expect(typingIn(start(typing(0), { type: "lapse", now: 5_999 }), CHAT)).toEqual([BOB]);
    expect(typingIn(start(typing(0), { type: "lapse", now: 6_000 }), CHAT)).toEqual([]);
    // A page of history is no sign that somebody has stopped.
    expect(typingIn(start(typing(0), { type: "message", message: message(1, BOB) }), CHAT)).toEqual([BOB]);
  });

  test("presence goes by its time; nobody is known to be online on a new stream", () => {
    const presence = (online: boolean, time: number | null): Input =>
      ({ type: "presence", userId: BOB, presence: { online, at: time } });
    const of = (...inputs: Input[]) => start(...inputs).presence.get(BOB);
    expect(of(presence(true, 20), presence(false, 10))).toEqual({ online: true, at: 20 });
    expect(of(presence(true, 20), presence(false, 30))).toEqual({ online: false, at: 30 });
    expect(of(presence(true, 20), presence(false, null))).toEqual({ online: false, at: null });
    expect(of(presence(true, 20), { type: "fresh" })).toEqual({ online: false, at: null });
    expect(of(presence(true, 20), { type: "fresh" }, presence(true, 20))).toEqual({ online: true, at: 20 });
  });
});

test("a message is taken in fast enough to be drawn between, however many there are", () => {
  let state = start();
  const began = performance.now();
  for (let n = 1; n <= 10_000; n++) state = reduce(state, sent(n, n % 2 ? BOB : ME));
  const each = (performance.now() - began) / 10_000;
  expect(each).toBeLessThan(1);
});
