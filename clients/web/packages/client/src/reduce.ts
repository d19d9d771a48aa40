/**
 * What happened, applied to what is known: `reduce(state, inputs) -> state`, and nothing else changes anything.
 *
 * Inputs are state, not steps. Whatever concerns messages, chats, receipts and counts gives the same picture in any
 * order and with any repetition; what is of the moment (typing, presence) goes by its time.
 */

import { blankChat, blankMessage, blankSets, isMember, joinBlock, joinChat, joinMessage, joinNotice, joinPending,
  joinPresence, joinSets, joinUser } from "./join.js";
import type { Block, Chat, Count, Limits, Link, Message, Notice, Pending, Preferences, Presence, Reaction, Settings,
  Sets, User } from "./model.js";
import { of } from "./runs.js";
import { Draft, messageAt, type State, type Touched } from "./state.js";

/** How long a sign of writing holds, if no other comes. */
export const TYPING_HOLDS = 6_000;

export type Input =
  /** A message, or a part of one: whatever is known. `live`: it has just been sent. */
  | { readonly type: "message"; readonly message: Message; readonly live?: boolean }
  | { readonly type: "deleted"; readonly chatId: string; readonly seq: number; readonly messageId: string;
      readonly senderId: string; readonly deletedAt: number; readonly revision: number }
  | { readonly type: "reactions"; readonly chatId: string; readonly seq: number; readonly messageId: string;
      readonly reactions: readonly Reaction[]; readonly revision: number; readonly userId: string;
      readonly userEmojis: readonly string[] }
  | { readonly type: "hidden"; readonly chatId: string; readonly seq: number; readonly messageId: string }
  /** Sets that grow. */
  | { readonly type: "sets"; readonly sets: Sets }
  | { readonly type: "count"; readonly chatId: string; readonly count: Count }
  | { readonly type: "chat"; readonly chat: Chat }
  | { readonly type: "settings"; readonly chatId: string; readonly settings: Settings }
  | { readonly type: "user"; readonly user: User }
  | { readonly type: "block"; readonly block: Block }
  | { readonly type: "pending"; readonly row: Pending }
  /** In the outbox no more. */
  | { readonly type: "settled"; readonly clientMessageId: string }
  /** Neither listed nor heard of: as if it had never been. */
  | { readonly type: "forget"; readonly chatId: string }
  /** Out of memory; on disk it stays. */
  | { readonly type: "evict"; readonly chatId: string; readonly keep: readonly [number, number] | null }
  | { readonly type: "presence"; readonly userId: string; readonly presence: Presence }
  | { readonly type: "typing"; readonly chatId: string; readonly userId: string; readonly typing: boolean;
      readonly now: number }
  /** Time has passed: who was writing may have stopped. */
  | { readonly type: "lapse"; readonly now: number }
  /** A stream is open: nobody is known to be online. */
  | { readonly type: "fresh" }
  | { readonly type: "link"; readonly link: Link }
  /** How far the files of a message have come, from 0 to 1. */
  | { readonly type: "progress"; readonly clientMessageId: string; readonly fraction: number }
  | { readonly type: "limits"; readonly limits: Limits; readonly skew: number }
  /** Of the list of notifications what is told. `read`: those are read and are otherwise what they were. */
  | { readonly type: "notices"; readonly notices: readonly Notice[]; readonly read: readonly string[];
      /** `null`: not said. */
      readonly unread: number | null }
  | { readonly type: "preferences"; readonly preferences: Preferences };

/** What is of the moment: told to all tabs, and kept nowhere. */
export type Moment = Extract<Input, { type: "presence" | "typing" | "lapse" | "fresh" | "link" | "progress" | "limits" |
  "notices" | "preferences" }>;

/** The state after these inputs. */
export function reduce(state: State, ...inputs: readonly Input[]): State {
  return apply(state, inputs).state;
}

/** Likewise, and which rows that changed. */
export function apply(state: State, inputs: readonly Input[]): { state: State; touched: Touched } {
  const draft = new Draft(state);
  for (const input of inputs) step(draft, input);
  return { state: draft.state, touched: draft.touched };
}

function step(draft: Draft, input: Input): void {
  const { state } = draft;
  switch (input.type) {
    case "message":
      if (input.live) draft.setTyping(input.message.chatId, input.message.senderId, null);
      return message(draft, input.message);
    case "deleted": {
      const { chatId, seq, messageId, senderId, deletedAt, revision } = input;
      return message(draft, {
        ...blankMessage(chatId, seq), messageId, senderId, deletedAt, revision, reactionsRevision: revision,
        mineRevision: revision,
      });
    }
    case "reactions":
      return message(draft, reactionsOf(state.me, input));
    case "hidden":
      return message(draft, { ...blankMessage(input.chatId, input.seq), messageId: input.messageId, hidden: true });
    case "sets":
      return sets(draft, input.sets);
    case "count":
      return chat(draft, { ...blankChat(input.chatId), count: input.count });
    case "chat":
      return chat(draft, input.chat);
    case "settings":
      return chat(draft, { ...blankChat(input.chatId), settings: input.settings });
    case "user": {
      const held = state.users.get(input.user.userId);
      const joined = held ? joinUser(held, input.user) : input.user;
      if (joined !== held) draft.setUser(joined);
      return;
    }
    case "block": {
      const held = state.blocks.get(input.block.userId);
      const joined = held ? joinBlock(held, input.block) : input.block;
      if (joined !== held) draft.setBlock(joined);
      return;
    }
    case "pending":
      return pending(draft, input.row);
    case "settled":
      return draft.settle(input.clientMessageId);
    case "forget":
      return draft.forgetChat(input.chatId);
    case "evict":
      return draft.evict(input.chatId, input.keep);
    default:
      return moment(draft, input);
  }
}

/** What is of the moment, and never kept. */
function moment(draft: Draft, input: Moment): void {
  const { state } = draft;
  switch (input.type) {
    case "presence":
      return draft.setPresence(input.userId, joinPresence(state.presence.get(input.userId), input.presence));
    case "typing":
      return draft.setTyping(input.chatId, input.userId, input.typing ? input.now + TYPING_HOLDS : null);
    case "lapse":
      for (const [chatId, users] of state.typing) {
        for (const [user, until] of users) if (until <= input.now) draft.setTyping(chatId, user, null);
      }
      return;
    case "fresh":
      return draft.forgetOnline();
    case "link":
      return draft.set("link", input.link);
    case "progress":
      return draft.setProgress(input.clientMessageId, input.fraction);
    case "limits":
      draft.set("limits", input.limits);
      return draft.set("skew", input.skew);
    case "notices":
      return notices(draft, input);
    case "preferences":
      if (input.preferences.revision < (state.preferences?.revision ?? 0)) return;
      return draft.set("preferences", input.preferences);
  }
}

function notices(draft: Draft, news: Extract<Input, { type: "notices" }>): void {
  for (const notice of news.notices) {
    const held = draft.state.notices.get(notice.noticeId);
    const joined = held ? joinNotice(held, notice) : notice;
    if (joined !== held) draft.setNotice(joined);
  }
  // Nothing is left unread: whatever is held was read.
  const read = news.unread === 0 ? draft.state.notices.keys() : news.read;
  for (const id of [...read]) {
    const held = draft.state.notices.get(id);
    if (held && !held.read) draft.setNotice({ ...held, read: true });
  }
  if (news.unread !== null) draft.set("unreadNotices", news.unread);
}

function message(draft: Draft, news: Message): void {
  const { state } = draft;
  if (wasLeft(state.chats.get(news.chatId))) return;
  const held = messageAt(state, news.chatId, news.seq);
  const joined = held ? joinMessage(held, news) : news;
  if (joined !== held) draft.setMessage(joined);
  if (joined.senderId === state.me && joined.clientMessageId) draft.settle(joined.clientMessageId);
  const known = state.chats.get(news.chatId);
  const whole = joined.createdAt > 0;
  const place = of(joined.seq);
  chat(draft, {
    ...blankChat(news.chatId),
    lastSeq: whole ? joined.seq : 0,
    last: whole || joined.seq === known?.last?.seq ? joined : null,
    above: whole && joined.senderId !== state.me && counts(joined) ? place : [],
    gone: counts(joined) ? [] : place,
    held: whole && joined.revision >= 0 ? place : [],
  });
}

/** Whether a message of another user counts as unread. */
export function counts(message: Message): boolean {
  if (message.deletedAt > 0 || message.hidden) return false;
  return message.note === null || message.note.kind === "announcement";
}

function reactionsOf(me: string, input: Extract<Input, { type: "reactions" }>): Message {
  const { chatId, seq, messageId, reactions, revision, userId, userEmojis } = input;
  const mine = userId === me ? userEmojis : listed(me, reactions);
  return {
    ...blankMessage(chatId, seq), messageId, reactions, reactionsRevision: revision,
    mine: mine ?? [], mineRevision: mine ? revision : -1,
  };
}

/** The emoji of a user, where all who reacted are listed; `null`: that is not known. */
export function listed(user: string, reactions: readonly Reaction[]): readonly string[] | null {
  if (reactions.some((reaction) => reaction.userIds.length < reaction.count)) return null;
  return reactions.filter((reaction) => reaction.userIds.includes(user)).map((reaction) => reaction.emoji);
}

function chat(draft: Draft, news: Chat): void {
  const held = draft.state.chats.get(news.chatId);
  const joined = joinChat(held ?? blankChat(news.chatId), news);
  if (held && joined === held) return;
  draft.setChat(joined);
  if (wasLeft(joined)) draft.emptyChat(joined.chatId);
}

/** Nothing more comes of such a chat, but for a late event, which is let go. */
function wasLeft(chat: Chat | undefined): boolean {
  return chat !== undefined && chat.removedAt >= 0 && !isMember(chat);
}

function sets(draft: Draft, news: Sets): void {
  if (wasLeft(draft.state.chats.get(news.chatId))) return;
  const held = draft.state.sets.get(news.chatId)?.get(news.userId);
  const joined = joinSets(held ?? blankSets(news.chatId, news.userId), news);
  if (joined !== held) draft.setSets(joined);
}

function pending(draft: Draft, row: Pending): void {
  const { outbox, settled } = draft.state;
  if (settled.has(row.clientMessageId)) return;
  const held = outbox.get(row.clientMessageId);
  const joined = held ? joinPending(held, row) : row;
  if (joined !== held) draft.setPending(joined);
}
