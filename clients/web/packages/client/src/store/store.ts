/**
 * What a device keeps. Rows are changed by one verb, `commit`: it applies inputs to the rows they concern by the same
 * `reduce` that makes the picture on the screen, in one transaction. So any tab may commit at any time, and what a
 * crash leaves is a state that was.
 */

import { emptyState, type State, type Touched, messageAt } from "../state.js";
import type { Chat, Message, Sets, User, Block, Pending } from "../model.js";
import { apply, type Input } from "../reduce.js";

/** Where to resume, and until when older changes are covered. */
export interface Checkpoint {
  readonly token: Uint8Array;
  readonly asOf: number;
}

/** What a commit came to. */
export interface Committed {
  /** One more at each commit of any tab: who misses one reads everything again. */
  readonly n: number;
  /** The rows that changed, whole. */
  readonly rows: readonly Input[];
}

export interface Store {
  /**
   * Applies inputs and keeps the checkpoint, all of it or nothing. A checkpoint covers what was committed before and
   * with it.
   */
  commit(inputs: readonly Input[], checkpoint?: Checkpoint): Promise<Committed>;
  /** Everything but messages. */
  all(): Promise<Committed>;
  /** Messages of a chat from `first` to `last` that are held, ascending. */
  messages(chatId: string, first: number, last: number): Promise<readonly Message[]>;
  /** The newest checkpoint that was kept. */
  checkpoint(): Promise<Checkpoint | null>;
  /** The device's name: made at random once. */
  device(fresh: string): Promise<string>;
  /** Counts streams; the number is kept before it is answered. */
  generation(): Promise<number>;
  /** Chats whose older messages may have changed since then, unheard. */
  stale(): Promise<ReadonlyMap<string, number>>;
  /** Notes that; an older note stays. */
  noteStale(chatIds: readonly string[], since: number): Promise<void>;
  dropStale(chatId: string): Promise<void>;
  /** Forgets everything: the user signs out of this device. */
  destroy(): Promise<void>;
  close(): void;
}

/** The rows that inputs concern. */
export interface Keys {
  readonly chats: Set<string>;
  readonly messages: Map<string, Set<number>>;
  readonly sets: Map<string, Set<string>>;
  readonly users: Set<string>;
  readonly blocks: Set<string>;
}

export function keysOf(inputs: readonly Input[]): Keys {
  const keys: Keys = { chats: new Set(), messages: new Map(), sets: new Map(), users: new Set(), blocks: new Set() };
  const message = (chatId: string, seq: number): void => {
    keys.chats.add(chatId);
    keys.messages.set(chatId, (keys.messages.get(chatId) ?? new Set()).add(seq));
  };
  for (const input of inputs) {
    switch (input.type) {
      case "message":
        message(input.message.chatId, input.message.seq);
        break;
      case "deleted":
      case "reactions":
      case "hidden":
        message(input.chatId, input.seq);
        break;
      case "sets": {
        const { chatId, userId } = input.sets;
        keys.chats.add(chatId);
        keys.sets.set(chatId, (keys.sets.get(chatId) ?? new Set()).add(userId));
        break;
      }
      case "chat":
        keys.chats.add(input.chat.chatId);
        break;
      case "count":
      case "settings":
        keys.chats.add(input.chatId);
        break;
      case "user":
        keys.users.add(input.user.userId);
        break;
      case "block":
        keys.blocks.add(input.block.userId);
        break;
    }
  }
  return keys;
}

/** Rows as they lie on disk. */
export interface Rows {
  readonly chats: readonly Chat[];
  readonly messages: readonly Message[];
  readonly sets: readonly Sets[];
  readonly users: readonly User[];
  readonly blocks: readonly Block[];
  readonly outbox: readonly Pending[];
}

/** Rows as inputs: whoever applies them has joined them. */
export function inputsOf(rows: Rows): Input[] {
  return [
    ...rows.chats.map((chat) => ({ type: "chat", chat }) as const),
    ...rows.sets.map((sets) => ({ type: "sets", sets }) as const),
    ...rows.users.map((user) => ({ type: "user", user }) as const),
    ...rows.blocks.map((block) => ({ type: "block", block }) as const),
    ...rows.messages.map((message) => ({ type: "message", message }) as const),
    ...rows.outbox.map((row) => ({ type: "pending", row }) as const),
  ];
}

/** A state of these rows and no others, as they are: nothing is worked out anew. */
export function stateOf(me: string, rows: Rows): State {
  const by = <T>(list: readonly T[], key: (row: T) => string): Map<string, T> =>
    new Map(list.map((row) => [key(row), row]));
  const sets = new Map<string, Map<string, Sets>>();
  for (const row of rows.sets) sets.set(row.chatId, (sets.get(row.chatId) ?? new Map()).set(row.userId, row));
  const state: State = {
    ...emptyState(me),
    chats: by(rows.chats, (chat) => chat.chatId),
    sets,
    users: by(rows.users, (user) => user.userId),
    blocks: by(rows.blocks, (block) => block.userId),
    outbox: by(rows.outbox, (row) => row.clientMessageId),
  };
  if (rows.messages.length === 0) return state;
  const messages = rows.messages.map((message) => ({ type: "message", message }) as const);
  return { ...state, messages: apply(emptyState(me), messages).state.messages };
}

/** What a commit has to write, and to tell. */
export interface Change {
  readonly put: Rows;
  readonly settled: readonly string[];
  readonly emptied: readonly string[];
  readonly forgotten: readonly string[];
}

export function changeOf(state: State, touched: Touched): Change {
  const messages: Message[] = [];
  for (const [chatId, seqs] of touched.messages) {
    for (const seq of seqs) {
      const message = messageAt(state, chatId, seq);
      if (message) messages.push(message);
    }
  }
  const sets: Sets[] = [];
  for (const [chatId, users] of touched.sets) {
    for (const user of users) {
      const row = state.sets.get(chatId)?.get(user);
      if (row) sets.push(row);
    }
  }
  const get = <T>(keys: Iterable<string>, map: ReadonlyMap<string, T>): T[] =>
    [...keys].flatMap((key) => map.get(key) ?? []);
  return {
    put: {
      chats: get(touched.chats, state.chats),
      messages,
      sets,
      users: get(touched.users, state.users),
      blocks: get(touched.blocks, state.blocks),
      outbox: get(touched.outbox, state.outbox),
    },
    settled: [...touched.outbox].filter((id) => !state.outbox.has(id)),
    emptied: [...touched.emptied],
    forgotten: [...touched.forgotten],
  };
}

/** A change as inputs, for the picture in memory and for other tabs. */
export function told(change: Change): Input[] {
  return [
    ...change.forgotten.map((chatId) => ({ type: "forget", chatId }) as const),
    ...inputsOf(change.put),
    ...change.settled.map((clientMessageId) => ({ type: "settled", clientMessageId }) as const),
  ];
}
