/**
 * Finding and filling what lacks: the inbox after a gap, chats that are only heard of, holes in `seq`, and older
 * messages that changed unheard.
 */

import { timestampFromMs } from "@bufbuild/protobuf/wkt";

import { isMember } from "../join.js";
import type { Input } from "../reduce.js";
import { has, top, type Runs } from "../runs.js";
import { unread } from "../select.js";
import { chatInputs, messageOf, userOf } from "../translate.js";
import type { Core } from "./core.js";

const INBOX_PAGE = 100;
export const PAGE = 100;
/** Users that may be asked about at once. */
const NAMES = 100;
/** A hole larger than this is left until it is scrolled to. */
const TOO_MUCH = 400;
/** Chats with unread messages whose newest are read in the background after a gap. */
const BACKGROUND = 30;

/** Reads one chat anew. */
export async function readChat(core: Core, chatId: string): Promise<void> {
  const { chat } = await core.calls.call((options) => core.calls.chat.getChat({ chatId }, options));
  if (chat) await core.commit(chatInputs(chat, core.state().me, true));
}

/**
 * Reads the inbox to its end and forgets chats that were neither listed nor, as `heard` says afterwards, heard of
 * meanwhile.
 */
export async function readInbox(core: Core, heard: ReadonlySet<string>, signal: AbortSignal): Promise<void> {
  const before = [...core.state().chats.keys()];
  const listed = new Set<string>();
  let pageToken = "";
  do {
    const request = { pageSize: INBOX_PAGE, pageToken };
    const page = await core.calls.call((options) => core.calls.chat.listChats(request, options));
    signal.throwIfAborted();
    await core.commit(page.chats.flatMap((chat) => chatInputs(chat, core.state().me, true)));
    for (const chat of page.chats) listed.add(chat.chatId);
    pageToken = page.nextPageToken;
  } while (pageToken !== "");
  const lost = before.filter((chatId) => !listed.has(chatId) && !heard.has(chatId));
  if (lost.length > 0) await core.commit(lost.map((chatId) => ({ type: "forget", chatId }) as const));
}

/** Asks who these are, where it is not known: in a group whose members were never listed here anybody may write. */
export async function readNames(core: Core, ids: readonly string[]): Promise<void> {
  const { calls } = core;
  const unknown = [...new Set(ids)].filter((id) => id !== "" && !core.state().users.has(id));
  try {
    for (let at = 0; at < unknown.length; at += NAMES) {
      const userIds = unknown.slice(at, at + NAMES);
      const { users } = await calls.call((options) => calls.users.getUsers({ userIds }, options));
      await core.commit(users.map((user) => ({ type: "user", user: userOf(user) })));
    }
  } catch {
    // Then they are shown by their ids.
  }
}

/** Reads messages from `first` to `last`, and keeps them. */
export async function readRange(core: Core, chatId: string, first: number, last: number): Promise<void> {
  let from = first;
  while (from <= last) {
    const request = {
      chatId,
      pageSize: Math.min(PAGE, last - from + 1),
      anchor: { case: "afterSeq" as const, value: from - 1 },
    };
    const page = await core.calls.call((options) => core.calls.chat.listMessages(request, options));
    const { me } = core.state();
    await core.commit(page.messages.map((each) => ({ type: "message", message: messageOf(each, me, true) })));
    const reached = page.messages[page.messages.length - 1]?.seq ?? 0;
    // What is not there cannot be had: it does not exist for this user.
    if (reached < from) return;
    from = reached + 1;
  }
}

/** What lacks between the two newest runs that are held, if it is little: an event that did not come. */
export function hole(held: Runs): readonly [number, number] | null {
  if (held.length < 2) return null;
  const [below, above] = [held[held.length - 2]!, held[held.length - 1]!];
  return above[0] - below[1] - 1 <= TOO_MUCH ? [below[1] + 1, above[0] - 1] : null;
}

/** Mends one chat: older messages that changed since a gap. To be called at the latest when it is shown. */
export async function readChanges(core: Core, chatId: string): Promise<void> {
  const since = (await core.store.stale()).get(chatId);
  if (since === undefined) return;
  let pageToken = "";
  do {
    const request = {
      chatId, pageSize: 200, pageToken,
      anchor: { case: "changedSince" as const, value: timestampFromMs(since) },
    };
    const page = await core.calls.call((options) => core.calls.chat.listMessages(request, options));
    const { me, chats } = core.state();
    const held = chats.get(chatId)?.held ?? [];
    await core.commit(page.messages
      .filter((message) => has(held, message.seq))
      .map((each): Input => ({ type: "message", message: messageOf(each, me, true) })));
    pageToken = page.nextPageToken;
  } while (pageToken !== "");
  await core.store.dropStale(chatId);
}

/** After a gap: the newest messages of chats with something unread, so that their senders get their second tick. */
export async function readUnread(core: Core, signal: AbortSignal): Promise<void> {
  const state = core.state();
  const chats = [...state.chats.values()]
    .filter((chat) => isMember(chat) && top(chat.held) < chat.lastSeq && unread(state, chat.chatId) > 0)
    .sort((a, b) => (b.last?.createdAt ?? 0) - (a.last?.createdAt ?? 0))
    .slice(0, BACKGROUND);
  for (const chat of chats) {
    if (signal.aborted) return;
    const from = Math.max(top(chat.held) + 1, chat.lastSeq - PAGE + 1, chat.visibleFrom);
    await readRange(core, chat.chatId, from, chat.lastSeq);
  }
}
