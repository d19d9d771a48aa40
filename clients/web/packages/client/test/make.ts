/** Rows for tests: what a server could have said, made from few numbers. */

import { blankChat, blankMessage, blankSets } from "../src/join.js";
import type { Chat, Message, Pending } from "../src/model.js";
import type { Input } from "../src/reduce.js";
import type { Run } from "../src/runs.js";

export const ME = "me";
export const BOB = "bob";
export const CHAT = "c";

export function message(seq: number, sender: string, more: Partial<Message> = {}): Message {
  return {
    ...blankMessage(CHAT, seq),
    messageId: `m${seq}`,
    senderId: sender,
    clientMessageId: `${sender}-${seq}`,
    createdAt: 1_000 + seq,
    revision: 0,
    text: `text ${seq}`,
    reactionsRevision: 0,
    mineRevision: 0,
    ...more,
  };
}

export function sent(seq: number, sender: string, more: Partial<Message> = {}): Input {
  return { type: "message", message: message(seq, sender, more), live: true };
}

export function direct(more: Partial<Chat> = {}): Chat {
  const member = (userId: string) => ({ userId, role: "member", joinedAt: 1, visibleFrom: 1 }) as const;
  return {
    ...blankChat(CHAT), revision: 1, kind: "direct", memberCount: 2, createdAt: 1, members: [member(ME), member(BOB)],
    membersRevision: 1, roleRevision: 1, count: { unread: 0, lastSeq: 0 }, ...more,
  };
}

export function read(user: string, ...runs: Run[]): Input {
  return { type: "sets", sets: { ...blankSets(CHAT, user), delivered: runs, read: runs } };
}

export function delivered(user: string, ...runs: Run[]): Input {
  return { type: "sets", sets: { ...blankSets(CHAT, user), delivered: runs } };
}

export function seen(...runs: Run[]): Input {
  return { type: "sets", sets: { ...blankSets(CHAT, ME), seen: runs } };
}

export function deleted(seq: number, sender: string, revision: number): Input {
  return { type: "deleted", chatId: CHAT, seq, messageId: `m${seq}`, senderId: sender, revision, deletedAt: 5_000 };
}

export function pending(id: string, more: Partial<Pending> = {}): Pending {
  return {
    clientMessageId: id, chatId: CHAT, text: id, replyToMessageId: "", replyToSeq: 0, mentions: [], files: [],
    createdAt: 1, version: 1, failed: null, ...more,
  };
}
