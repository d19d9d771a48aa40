/** What to show, worked out from what is known. Pure, and cheap enough to be asked at each drawing. */

import { isMember } from "./join.js";
import type { Chat, Level, Member, Message, Notice, Pending, Presence, Tick } from "./model.js";
import { DELIVERED, SEEN, SENT } from "./model.js";
import { counts } from "./reduce.js";
import { has, less, size, union, within, NONE, type Runs } from "./runs.js";
import { messageAt, type State } from "./state.js";

/** Where counts stop: that many or more. */
export const MANY = 1000;

function read(state: State, chatId: string): { told: Runs; here: Runs } {
  const mine = state.sets.get(chatId)?.get(state.me);
  const told = mine?.read ?? NONE;
  return { told, here: union(told, mine?.seen ?? NONE) };
}

/**
 * What to show as unread: the newest count, more what came after it, less what was on screen here and the count does
 * not know yet. So a badge falls at once, and is right again with the next count whatever was lost.
 */
export function unread(state: State, chatId: string): number {
  const chat = state.chats.get(chatId);
  if (!chat || !isMember(chat)) return 0;
  const { told, here } = read(state, chatId);
  const after = size(less(chat.above, here));
  let before = Math.max(0, chat.count.unread);
  if (before > 0) {
    if (less([[chat.visibleFrom, Math.max(chat.count.lastSeq, chat.visibleFrom)]], here).length === 0) before = 0;
    else if (before < MANY) before = Math.max(0, before - pendingReads(state, chat, told, here));
  }
  return Math.min(MANY, before + after);
}

/** How many of the counted messages were seen here without the server knowing. */
function pendingReads(state: State, chat: Chat, told: Runs, here: Runs): number {
  let sum = 0;
  for (const [first, last] of within(less(here, told), chat.visibleFrom, chat.count.lastSeq)) {
    for (let seq = first; seq <= last && sum < MANY; seq++) {
      const message = messageAt(state, chat.chatId, seq);
      if (!message || (message.senderId !== state.me && counts(message))) sum++;
    }
  }
  return sum;
}

/** The first message of others that is not read, 0 if there is none that is known: where a chat opens. */
export function firstUnread(state: State, chatId: string): number {
  const chat = state.chats.get(chatId);
  if (!chat || unread(state, chatId) === 0) return 0;
  return less([[chat.visibleFrom, chat.lastSeq]], read(state, chatId).here)[0]?.[0] ?? 0;
}

/** Unread in all chats that are not archived. */
export function totalUnread(state: State): number {
  let sum = 0;
  for (const chat of state.chats.values()) if (!chat.settings.archived) sum += unread(state, chat.chatId);
  return Math.min(MANY, sum);
}

/** The ticks of an own message: the furthest of what answers said and of what the members' receipts come to. */
export function tick(state: State, message: Message): Tick {
  if (message.senderId !== state.me) return 0;
  const least: Tick = message.state > SENT ? message.state : SENT;
  const chat = state.chats.get(message.chatId);
  if (!chat || least === SEEN || chat.members.length < chat.memberCount) return least;
  const sets = state.sets.get(message.chatId);
  let all: Tick = SEEN;
  let others = 0;
  for (const member of chat.members) {
    if (member.userId === state.me || member.visibleFrom > message.seq) continue;
    others++;
    const theirs = sets?.get(member.userId);
    const { userId } = member;
    if (message.readBy.includes(userId) || (theirs && has(theirs.read, message.seq))) continue;
    if (!message.deliveredTo.includes(userId) && !(theirs && has(theirs.delivered, message.seq))) return least;
    all = DELIVERED;
  }
  return others > 0 && all > least ? all : least;
}

/** Who has received an own message, and who has read it, as far as is known here. */
export function receivers(state: State, message: Message): { delivered: readonly string[]; read: readonly string[] } {
  const [delivered, read] = [new Set(message.deliveredTo), new Set(message.readBy)];
  for (const [user, sets] of state.sets.get(message.chatId) ?? []) {
    if (user === state.me) continue;
    if (has(sets.delivered, message.seq)) delivered.add(user);
    if (has(sets.read, message.seq)) read.add(user);
  }
  return { delivered: [...delivered].sort(), read: [...read].sort() };
}

/** The other member of a direct chat. */
export function peer(state: State, chat: Chat): Member | undefined {
  return chat.kind === "direct" ? chat.members.find((member) => member.userId !== state.me) : undefined;
}

/** What to call a user. */
export function nameOf(state: State, userId: string): string {
  return state.users.get(userId)?.name || userId;
}

/** What to call a chat. */
export function titleOf(state: State, chat: Chat): string {
  if (chat.kind === "group") return chat.title;
  const other = peer(state, chat);
  return other ? nameOf(state, other.userId) : "";
}

export function avatarOf(state: State, chat: Chat): string {
  if (chat.kind === "group") return chat.avatarUrl;
  const other = peer(state, chat);
  return (other && state.users.get(other.userId)?.avatarUrl) || "";
}

export function presenceOf(state: State, userId: string): Presence | undefined {
  return state.presence.get(userId);
}

/** When something last happened in a chat, by which the inbox is ordered. */
export function activity(chat: Chat): number {
  return Math.max(chat.createdAt, chat.last?.createdAt ?? 0);
}

/** The chats this user is in: pinned first, the one pinned last on top, then by the newest message. */
export function inbox(state: State): readonly Chat[] {
  const held = inboxes.get(state.chats);
  if (held) return held;
  const chats = [...state.chats.values()].filter(isMember);
  chats.sort((a, b) => b.settings.pinnedAt - a.settings.pinnedAt || activity(b) - activity(a)
    || (a.chatId < b.chatId ? -1 : 1));
  inboxes.set(state.chats, chats);
  return chats;
}

const inboxes = new WeakMap<object, readonly Chat[]>();

/** Who writes there now, this user left out. */
export function typingIn(state: State, chatId: string): readonly string[] {
  const users = state.typing.get(chatId);
  return users ? [...users.keys()].filter((user) => user !== state.me) : [];
}

/** What waits to be sent there, in the order of writing. */
export function pendingIn(state: State, chatId: string): readonly Pending[] {
  if (state.outbox.size === 0) return [];
  const rows = [...state.outbox.values()].filter((row) => row.chatId === chatId);
  return rows.sort((a, b) => a.createdAt - b.createdAt);
}

/** Of which messages of a chat the user is told now. */
export function levelOf({ settings }: Chat, now: number): Level {
  const { level = "all", levelUntil = 0 } = settings;
  return levelUntil > 0 && levelUntil <= now ? "all" : level;
}

/** Notifications that are known here, newest first: not those that tell nothing any more, nor of a chat that was left. */
export function notices(state: State): readonly Notice[] {
  const told = [...state.notices.values()].filter(({ count, chatId }) => {
    const chat = state.chats.get(chatId);
    return count > 0 && (!chat || chat.removedAt < 0 || isMember(chat));
  });
  return told.sort((a, b) => b.updatedAt - a.updatedAt || (a.noticeId < b.noticeId ? 1 : -1));
}

/** Whether one may still edit this message. */
export function mayEdit(state: State, message: Message, now: number): boolean {
  return message.senderId === state.me && message.deletedAt === 0 && message.note === null
    && now + state.skew - message.createdAt < state.limits.editWindowMs;
}

const RANK = { member: 0, admin: 1, owner: 2 } as const;

/** Whether one may delete this message for everyone. */
export function mayDelete(state: State, message: Message): boolean {
  if (message.deletedAt > 0 || message.note !== null) return false;
  if (message.senderId === state.me) return true;
  const chat = state.chats.get(message.chatId);
  if (chat?.kind !== "group") return false;
  const theirs = chat.members.find((member) => member.userId === message.senderId)?.role ?? "member";
  return RANK[chat.role] > RANK[theirs];
}

/** Whether one's role is above that of another member. */
export function outranks(chat: Chat, member: Member): boolean {
  return RANK[chat.role] > RANK[member.role];
}
