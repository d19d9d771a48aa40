import { create } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { Code } from "@connectrpc/connect";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";

import { Adda } from "../src/adda.js";
import { NotificationKind, NotificationSchema, type Notification } from "../src/gen/adda/v1/notification_pb.js";
import { ResumeOutcome } from "../src/gen/adda/v1/stream_pb.js";
import { AddaError, isMissing } from "../src/errors.js";
import { blankChat } from "../src/join.js";
import type { Level, Notice, Preferences, QuietHours } from "../src/model.js";
import { reduce, type Input } from "../src/reduce.js";
import { isQuiet, rings } from "../src/rings.js";
import { levelOf, notices } from "../src/select.js";
import { emptyState, type State } from "../src/state.js";
import { MemoryStore } from "../src/store/memory.js";
import { FakeServer, refuse } from "./fake.js";
import { BOB, CHAT, ME, direct, message, sent } from "./make.js";

function notice(id: number, updatedAt: number, read = false): Notice {
  return { noticeId: `n${id}`, kind: "messages", chatId: CHAT, seq: id, actorId: BOB, count: 1, emoji: "", updatedAt, read };
}

function told(...list: Notice[]): Input {
  return { type: "notices", notices: list, read: [], unread: null };
}

const PLAIN: Preferences = {
  off: false, preview: "full", silent: false, quietHours: [], timeZone: "Asia/Dhaka", mentionsPierce: false, revision: 1,
};

describe("the list", () => {
  test("is the same in any order and with any repetition", () => {
    // Of one time a notification may be known unread and read, and nothing else.
    const any = fc.tuple(fc.integer({ min: 1, max: 4 }), fc.integer({ min: 1, max: 4 }), fc.boolean());
    fc.assert(fc.property(fc.array(any, { maxLength: 12 }).chain((list) =>
      fc.tuple(fc.constant(list), fc.shuffledSubarray(list, { minLength: list.length }))), ([list, other]) => {
      const after = (all: typeof list): State => reduce(emptyState(ME), ...all.map((each) => told(notice(...each))));
      expect(notices(after([...other, ...other]))).toEqual(notices(after(list)));
    }));
  });

  test("brought up to date is unread again, newest first; with none unread all were read", () => {
    const state = reduce(emptyState(ME), told(notice(1, 10, true), notice(2, 20)), told(notice(1, 30)));
    expect(notices(state).map(({ noticeId, read }) => [noticeId, read])).toEqual([["n1", false], ["n2", false]]);
    const done = reduce(state, { type: "notices", notices: [], read: [], unread: 0 });
    expect(notices(done).map(({ read }) => read)).toEqual([true, true]);
    expect(notices(state).map(({ read }) => read)).toEqual([false, false]);
  });

  test("has not what tells nothing any more, nor what is of a chat that was left", () => {
    const ids = (...inputs: Input[]): string[] =>
      notices(reduce(emptyState(ME), told(notice(1, 10), notice(2, 20)), ...inputs)).map(({ noticeId }) => noticeId);
    const gone = told({ ...notice(1, 30, true), count: 0 });
    expect(ids(gone)).toEqual(["n2"]);
    expect(ids(gone, told(notice(1, 10)))).toEqual(["n2"]);
    expect(ids(gone, told(notice(1, 40)))).toEqual(["n1", "n2"]);
    const left: Input = { type: "chat", chat: { ...blankChat(CHAT), removedAt: 5 } };
    expect(ids(left)).toEqual([]);
    expect(ids({ type: "chat", chat: direct() })).toEqual(["n2", "n1"]);
    expect(ids(left, { type: "chat", chat: direct({ revision: 6 }) })).toEqual(["n2", "n1"]);
  });

  test("an older copy of preferences changes nothing", () => {
    const given = (revision: number, off: boolean): Input => ({ type: "preferences", preferences: { ...PLAIN, revision, off } });
    expect(reduce(emptyState(ME), given(2, true), given(1, false)).preferences).toMatchObject({ revision: 2, off: true });
  });
});

describe("quiet hours", () => {
  const hours = (start: number, end: number, ...weekdays: number[]): QuietHours => ({ weekdays, start: start * 60, end: end * 60 });
  const at = (iso: string, zone: string, ...quietHours: QuietHours[]): boolean =>
    isQuiet({ ...PLAIN, timeZone: zone, quietHours }, Date.parse(iso));

  test("run over midnight by the clock of their zone, from the day on which they begin", () => {
    // 2026-01-05 is a Monday. 22:30 in Dhaka is 16:30 UTC.
    const monday = hours(22, 7, 1);
    expect(at("2026-01-05T16:30:00Z", "Asia/Dhaka", monday)).toBe(true);
    expect(at("2026-01-05T16:30:00Z", "UTC", monday)).toBe(false);
    expect(at("2026-01-06T00:59:00Z", "Asia/Dhaka", monday)).toBe(true);
    expect(at("2026-01-06T01:00:00Z", "Asia/Dhaka", monday)).toBe(false);
    expect(at("2026-01-06T16:30:00Z", "Asia/Dhaka", monday)).toBe(false);
    // Sunday's go into the next week.
    expect(at("2026-01-05T00:00:00Z", "", hours(22, 7, 7))).toBe(true);
  });

  test("without days are on all, from a minute to itself a whole day, in an unknown zone by UTC", () => {
    expect(at("2026-01-09T12:30:00Z", "", hours(12, 13))).toBe(true);
    expect(at("2026-01-09T13:00:00Z", "", hours(12, 13))).toBe(false);
    expect(at("2026-01-10T11:59:00Z", "", hours(12, 12, 5))).toBe(true);
    expect(at("2026-01-10T12:00:00Z", "", hours(12, 12, 5))).toBe(false);
    expect(at("2026-01-09T12:30:00Z", "Not/Here", hours(12, 13))).toBe(true);
  });
});

describe("a message rings", () => {
  const always: QuietHours = { weekdays: [], start: 0, end: 0 };
  const base = reduce(emptyState(ME), { type: "chat", chat: direct() }, sent(1, ME));
  const tried = (more: Parameters<typeof message>[2], wish: Partial<Preferences> = {}, level: Level = "all",
    levelUntil = 0): ReturnType<typeof rings> => {
    const settings = { revision: 1, pinnedAt: 0, archived: false, mutedUntil: 0, level, levelUntil };
    const state = reduce(base, { type: "settings", chatId: CHAT, settings },
      { type: "preferences", preferences: { ...PLAIN, ...wish } });
    return rings(state, message(2, BOB, more), 1_000);
  };

  test("as preferred", () => {
    expect(tried({}, { silent: true, preview: "sender" })).toEqual({ silent: true, preview: "sender" });
    expect(tried({}, { off: true })).toBeNull();
    expect(tried({}, { quietHours: [always] })).toBeNull();
    expect(rings(base, message(2, BOB), 1_000)).toEqual({ silent: false, preview: "full" });
    expect(rings(base, message(2, ME), 1_000)).toBeNull();
  });

  test("in quiet hours if it mentions the user, who wishes it", () => {
    const wish = { quietHours: [always], mentionsPierce: true };
    expect(tried({ mentions: [ME] }, wish)).not.toBeNull();
    expect(tried({ mentions: [ME] }, { ...wish, mentionsPierce: false })).toBeNull();
    expect(tried({ replyToSeq: 1 }, wish)).toBeNull();
  });

  test("as the chat is set, until then", () => {
    expect(tried({}, {}, "mentions")).toBeNull();
    expect(tried({ mentions: [ME] }, {}, "mentions")).not.toBeNull();
    expect(tried({}, {}, "none", 1_001)).toBeNull();
    expect(tried({ mentions: [ME] }, {}, "none")).toBeNull();
    expect(tried({}, {}, "none", 1_000)).not.toBeNull();
  });
});

describe("with a server", () => {
  let server: FakeServer;
  let adda: Adda;

  const kept = (id: number, ms: number): Notification => create(NotificationSchema, {
    notificationId: `n${id}`, kind: NotificationKind.MENTION, chatId: CHAT, seq: id, actorId: BOB, count: 1,
    updatedAt: timestampFromMs(ms),
  });
  const until = (holds: () => boolean): Promise<void> =>
    vi.waitFor(() => expect(holds()).toBe(true), { timeout: 8_000, interval: 5 });

  beforeEach(() => {
    server = new FakeServer();
    server.opens = (stream) => stream.ready(ResumeOutcome.RESUMED, { notices: server.notices.length });
  });

  afterEach(() => adda.close());

  async function enter(): Promise<void> {
    const store = new MemoryStore(ME);
    await store.commit([{ type: "chat", chat: direct() }], { token: new Uint8Array([9]), asOf: 9 });
    adda = await Adda.open({ server: "http://fake", user: ME, store, transport: server.transport, token: () => "token" });
    await until(() => adda.state.link.kind === "up");
  }

  test("pushes come to the device that has the stream, until they are not wanted", async () => {
    await enter();
    await adda.registerPush("token 1", "bn-BD");
    await adda.registerPush("token 2", "bn-BD");
    expect([...server.devices]).toEqual([[server.stream.hello.deviceId, "WEB token 2"]]);
    await adda.unregisterPush();
    expect([...server.devices]).toEqual([]);
  });

  test("the count comes with the stream, the list when it is asked for, by pages", async () => {
    server.notices = Array.from({ length: 32 }, (_, i) => kept(i + 1, 1_000 - i));
    await enter();
    expect(adda.state.unreadNotices).toBe(32);
    const next = await adda.listNotices();
    expect(notices(adda.state)).toHaveLength(30);
    expect(await adda.listNotices(next)).toBe("");
    expect(notices(adda.state).map(({ noticeId }) => noticeId)).toEqual(server.notices.map((each) => each.notificationId));
    expect(adda.state.unreadNotices).toBe(32);
  });

  test("what comes and what is read elsewhere is told", async () => {
    server.notices = [kept(2, 20), kept(1, 10)];
    await enter();
    await adda.listNotices();
    server.stream.event({ case: "notificationCreated", value: {
      notificationId: "n3", notification: kept(3, 30), unreadNotifications: 3 } });
    await until(() => adda.state.unreadNotices === 3);
    expect(notices(adda.state).map(({ noticeId }) => noticeId)).toEqual(["n3", "n2", "n1"]);
    server.stream.event({ case: "notificationCreated", value: { notificationId: "n3", unreadNotifications: 2 } });
    await until(() => adda.state.notices.get("n3")?.read === true);
    // Several were read: which is asked for.
    server.notices[0]!.read = true;
    server.stream.event({ case: "notificationCreated", value: { unreadNotifications: 1 } });
    await until(() => adda.state.notices.get("n2")?.read === true);
    expect(adda.state.notices.get("n1")?.read).toBe(false);
  });

  test("marking is seen at once, one or all until then", async () => {
    server.notices = [kept(3, 30), kept(2, 20), kept(1, 10)];
    await enter();
    await adda.listNotices();
    await adda.markNotices(["n2"]);
    expect([adda.state.unreadNotices, adda.state.notices.get("n2")?.read]).toEqual([2, true]);
    await adda.markNoticesUntil(10);
    expect([adda.state.unreadNotices, adda.state.notices.get("n1")?.read]).toEqual([1, true]);
    expect(server.notices.map(({ read }) => read)).toEqual([false, true, true]);
  });

  test("preferences go there and back whole; what is refused changes nothing", async () => {
    await enter();
    await until(() => adda.state.preferences !== null);
    const wish = { ...PLAIN, preview: "none", silent: true, quietHours: [{ weekdays: [1, 5], start: 60, end: 30 }] } as const;
    await adda.preferences(wish);
    expect(adda.state.preferences).toEqual({ ...wish, revision: 1 });
    await adda.preferences();
    expect(adda.state.preferences).toEqual({ ...wish, revision: 1 });
    server.fails.set("updatePreferences", [refuse(Code.InvalidArgument, "FIELD_INVALID")]);
    await expect(adda.preferences({ ...wish, timeZone: "Not/Here" })).rejects.toMatchObject({ reason: "FIELD_INVALID" });
    expect(adda.state.preferences?.timeZone).toBe("Asia/Dhaka");
  });

  test("the level of a chat", async () => {
    await enter();
    await adda.setLevel(CHAT, "mentions");
    expect(levelOf(adda.state.chats.get(CHAT)!, 5_000)).toBe("mentions");
    await adda.setLevel(CHAT, "none", 6_000);
    expect([5_999, 6_000].map((now) => levelOf(adda.state.chats.get(CHAT)!, now))).toEqual(["none", "all"]);
  });

  test("a server without notifications says so, and all else goes on", async () => {
    server.hasNotices = false;
    await enter();
    const error: unknown = await adda.listNotices().catch((cause: unknown) => cause);
    expect(error instanceof AddaError && isMissing(error)).toBe(true);
    expect([adda.state.preferences, adda.state.link.kind]).toEqual([null, "up"]);
  });
});
