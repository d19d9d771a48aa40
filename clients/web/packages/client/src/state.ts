/**
 * Everything a device knows, as one value that never changes: `reduce` answers another one that shares what stayed.
 * And the draft by which it does so: it copies what is touched, once a batch, and remembers what that was.
 */

import type { Block, Chat, Limits, Link, Message, Notice, Pending, Preferences, Presence, Sets, User } from "./model.js";
import { NO_LIMITS } from "./model.js";

/** Messages lie in pages, so that one that changes costs the copy of a page and not of a history. */
const PAGE_BITS = 6;
const PAGE = 1 << PAGE_BITS;

export type Page = readonly (Message | undefined)[];
export type Pages = ReadonlyMap<number, Page>;

export interface State {
  readonly me: string;
  readonly chats: ReadonlyMap<string, Chat>;
  /** By chat: those that are in memory, of chats that are or were on screen. */
  readonly messages: ReadonlyMap<string, Pages>;
  /** By chat, by user. */
  readonly sets: ReadonlyMap<string, ReadonlyMap<string, Sets>>;
  readonly users: ReadonlyMap<string, User>;
  readonly presence: ReadonlyMap<string, Presence>;
  /** By chat, by user: until when that user is taken to be writing. */
  readonly typing: ReadonlyMap<string, ReadonlyMap<string, number>>;
  /** By client_message_id, in the order of writing. */
  readonly outbox: ReadonlyMap<string, Pending>;
  /** By client_message_id: how far its files have come, from 0 to 1. */
  readonly progress: ReadonlyMap<string, number>;
  /** Ids of what was in the outbox and is not any more, the newest: a late copy does not bring it back. */
  readonly settled: ReadonlySet<string>;
  readonly blocks: ReadonlyMap<string, Block>;
  /** By id: those that were listed, or told since. */
  readonly notices: ReadonlyMap<string, Notice>;
  /** Unread in all, listed or not; stops at 1000. */
  readonly unreadNotices: number;
  /** `null`: not known yet, or the server has no such thing. */
  readonly preferences: Preferences | null;
  readonly link: Link;
  readonly limits: Limits;
  /** Server's clock less this device's, in milliseconds. */
  readonly skew: number;
}

export function emptyState(me: string): State {
  return {
    me, chats: new Map(), messages: new Map(), sets: new Map(), users: new Map(), presence: new Map(),
    typing: new Map(),
    outbox: new Map(), progress: new Map(), settled: new Set(), blocks: new Map(), notices: new Map(),
    unreadNotices: 0, preferences: null, link: { kind: "connecting" }, limits: NO_LIMITS, skew: 0,
  };
}

/** One message, if it is in memory. */
export function messageAt(state: State, chatId: string, seq: number): Message | undefined {
  return state.messages.get(chatId)?.get(seq >> PAGE_BITS)?.[seq & (PAGE - 1)];
}

/** From where to where messages of a chat are in memory, as whole pages; `null`: none are. */
export function loaded(state: State, chatId: string): readonly [first: number, last: number] | null {
  const pages = [...(state.messages.get(chatId)?.keys() ?? [])];
  if (pages.length === 0) return null;
  return [Math.min(...pages) << PAGE_BITS, ((Math.max(...pages) + 1) << PAGE_BITS) - 1];
}

/** Rows that a batch has changed, by key; for what is to be written. */
export interface Touched {
  readonly chats: Set<string>;
  readonly messages: Map<string, Set<number>>;
  readonly sets: Map<string, Set<string>>;
  readonly users: Set<string>;
  readonly outbox: Set<string>;
  readonly blocks: Set<string>;
  /** Chats of which all messages and sets go. */
  readonly emptied: Set<string>;
  /** Chats that go altogether. */
  readonly forgotten: Set<string>;
}

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

/** A state in the making. */
export class Draft {
  readonly touched: Touched = {
    chats: new Set(), messages: new Map(), sets: new Map(), users: new Set(), outbox: new Set(), blocks: new Set(),
    emptied: new Set(), forgotten: new Set(),
  };
  private readonly now: Mutable<State>;
  private readonly fresh = new Set<unknown>();

  constructor(base: State) {
    this.now = { ...base };
  }

  get state(): State {
    return this.now;
  }

  /** A map of the state, to be written to. */
  private own<K, V>(map: ReadonlyMap<K, V>, keep: (copy: Map<K, V>) => void): Map<K, V> {
    if (this.fresh.has(map)) return map as Map<K, V>;
    const copy = new Map(map);
    this.fresh.add(copy);
    keep(copy);
    return copy;
  }

  setChat(chat: Chat): void {
    this.own(this.now.chats, (copy) => (this.now.chats = copy)).set(chat.chatId, chat);
    this.touched.chats.add(chat.chatId);
  }

  setMessage(message: Message): void {
    const chats = this.own(this.now.messages, (copy) => (this.now.messages = copy));
    const pages = this.own(chats.get(message.chatId) ?? new Map(), (copy) => chats.set(message.chatId, copy));
    const at = message.seq >> PAGE_BITS;
    let page = pages.get(at) as (Message | undefined)[] | undefined;
    if (!page || !this.fresh.has(page)) {
      page = page ? page.slice() : new Array<Message | undefined>(PAGE).fill(undefined);
      this.fresh.add(page);
      pages.set(at, page);
    }
    page[message.seq & (PAGE - 1)] = message;
    add(this.touched.messages, message.chatId, message.seq);
  }

  setSets(sets: Sets): void {
    const chats = this.own(this.now.sets, (copy) => (this.now.sets = copy));
    const users = this.own(chats.get(sets.chatId) ?? new Map(), (copy) => chats.set(sets.chatId, copy));
    users.set(sets.userId, sets);
    add(this.touched.sets, sets.chatId, sets.userId);
  }

  setUser(user: User): void {
    this.own(this.now.users, (copy) => (this.now.users = copy)).set(user.userId, user);
    this.touched.users.add(user.userId);
  }

  setBlock(block: Block): void {
    this.own(this.now.blocks, (copy) => (this.now.blocks = copy)).set(block.userId, block);
    this.touched.blocks.add(block.userId);
  }

  setPresence(userId: string, presence: Presence): void {
    this.own(this.now.presence, (copy) => (this.now.presence = copy)).set(userId, presence);
  }

  setTyping(chatId: string, userId: string, until: number | null): void {
    if (until === null && !this.now.typing.get(chatId)?.has(userId)) return;
    const chats = this.own(this.now.typing, (copy) => (this.now.typing = copy));
    const users = this.own(chats.get(chatId) ?? new Map(), (copy) => chats.set(chatId, copy));
    if (until === null) users.delete(userId);
    else users.set(userId, until);
    if (users.size === 0) chats.delete(chatId);
  }

  setPending(row: Pending): void {
    this.own(this.now.outbox, (copy) => (this.now.outbox = copy)).set(row.clientMessageId, row);
    this.touched.outbox.add(row.clientMessageId);
  }

  setProgress(clientMessageId: string, fraction: number): void {
    this.own(this.now.progress, (copy) => (this.now.progress = copy)).set(clientMessageId, fraction);
  }

  /** Whatever comes of it: it is in the outbox no more. */
  settle(clientMessageId: string): void {
    if (!this.now.settled.has(clientMessageId)) {
      const settled = [...this.now.settled, clientMessageId].slice(-SETTLED);
      this.now.settled = new Set(settled);
    }
    if (this.now.progress.has(clientMessageId)) {
      this.own(this.now.progress, (copy) => (this.now.progress = copy)).delete(clientMessageId);
    }
    if (!this.now.outbox.has(clientMessageId)) return;
    this.own(this.now.outbox, (copy) => (this.now.outbox = copy)).delete(clientMessageId);
    this.touched.outbox.add(clientMessageId);
  }

  /** Drops what is held of a chat's messages and receipts; the chat itself stays. */
  emptyChat(chatId: string): void {
    this.touched.emptied.add(chatId);
    this.evict(chatId, null);
    if (this.now.sets.has(chatId)) this.own(this.now.sets, (copy) => (this.now.sets = copy)).delete(chatId);
    if (this.now.typing.has(chatId)) this.own(this.now.typing, (copy) => (this.now.typing = copy)).delete(chatId);
    for (const row of this.now.outbox.values()) if (row.chatId === chatId) this.settle(row.clientMessageId);
  }

  forgetChat(chatId: string): void {
    this.emptyChat(chatId);
    this.touched.forgotten.add(chatId);
    this.own(this.now.chats, (copy) => (this.now.chats = copy)).delete(chatId);
  }

  /** Lets go of messages in memory, outside the range given; they stay on disk. */
  evict(chatId: string, keep: readonly [first: number, last: number] | null): void {
    const pages = this.now.messages.get(chatId);
    if (!pages) return;
    const chats = this.own(this.now.messages, (copy) => (this.now.messages = copy));
    if (keep === null) {
      chats.delete(chatId);
      return;
    }
    const kept = [...pages].filter(([at]) => at >= keep[0] >> PAGE_BITS && at <= keep[1] >> PAGE_BITS);
    if (kept.length < pages.size) chats.set(chatId, new Map(kept));
  }

  setNotice(notice: Notice): void {
    this.own(this.now.notices, (copy) => (this.now.notices = copy)).set(notice.noticeId, notice);
  }

  set<K extends "link" | "limits" | "skew" | "unreadNotices" | "preferences">(key: K, value: State[K]): void {
    this.now[key] = value;
  }

  forgetOnline(): void {
    const online = [...this.now.presence].filter(([, presence]) => presence.online);
    for (const [user] of online) this.setPresence(user, { online: false, at: null });
  }
}

/** Ids of settled sends that are remembered: more than can be under way between tabs. */
const SETTLED = 512;

function add<K, V>(map: Map<K, Set<V>>, key: K, value: V): void {
  const set = map.get(key);
  if (set) set.add(value);
  else map.set(key, new Set([value]));
}
