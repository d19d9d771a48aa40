/**
 * Joining two copies of one row. Every rule is a function of both, so that copies may come twice, late, and in any
 * order. Each answers its first argument itself where the second brings nothing.
 */

import type { Attachment, Block, Chat, Count, Message, Notice, Pending, Presence, Sets, User } from "./model.js";
import { NONE, less, union, within, type Runs } from "./runs.js";

const NOTHING: readonly never[] = [];

/** A message nothing is known of but its place. */
export function blankMessage(chatId: string, seq: number): Message {
  return {
    chatId, seq, messageId: "", senderId: "", clientMessageId: "", createdAt: 0, replyToMessageId: "", replyToSeq: 0,
    note: null, revision: -2, kind: "text", text: "", attachments: NOTHING, mentions: NOTHING, editedAt: 0,
    deletedAt: 0, reactions: NOTHING, reactionsRevision: -1, mine: NOTHING, mineRevision: -1, hidden: false, state: 0,
    deliveredTo: NOTHING, readBy: NOTHING,
  };
}

/** A chat nothing is known of but its name. */
export function blankChat(chatId: string): Chat {
  return {
    chatId, revision: -1, kind: "group", title: "", avatarUrl: "", memberCount: 0, createdAt: 0, members: NOTHING,
    membersRevision: -1, removedAt: -1, role: "member", roleRevision: -1, visibleFrom: 1,
    settings: { revision: -1, pinnedAt: 0, archived: false, mutedUntil: 0 },
    lastSeq: 0, last: null, count: { unread: 0, lastSeq: -1 }, above: NONE, gone: NONE, held: NONE,
  };
}

export function blankSets(chatId: string, userId: string): Sets {
  return { chatId, userId, delivered: NONE, read: NONE, seen: NONE };
}

/** Content by its revision, reactions by theirs, ticks only rise. */
export function joinMessage(a: Message, b: Message): Message {
  const content = b.revision > a.revision ? b : a;
  const reactions = b.reactionsRevision > a.reactionsRevision ? b : a;
  const mine = b.mineRevision > a.mineRevision ? b : a;
  const attachments = a.revision === b.revision ? joinAttachments(a.attachments, b.attachments) : content.attachments;
  const joined: Message = {
    chatId: a.chatId,
    seq: a.seq,
    messageId: a.messageId || b.messageId,
    senderId: a.senderId || b.senderId,
    clientMessageId: a.clientMessageId || b.clientMessageId,
    createdAt: a.createdAt || b.createdAt,
    replyToMessageId: a.replyToMessageId || b.replyToMessageId,
    replyToSeq: a.replyToSeq || b.replyToSeq,
    note: a.note ?? b.note,
    revision: content.revision,
    kind: content.kind,
    text: content.text,
    attachments,
    mentions: content.mentions,
    editedAt: content.editedAt,
    deletedAt: content.deletedAt,
    reactions: reactions.reactions,
    reactionsRevision: reactions.reactionsRevision,
    mine: mine.mine,
    mineRevision: mine.mineRevision,
    hidden: a.hidden || b.hidden,
    state: a.state >= b.state ? a.state : b.state,
    deliveredTo: all(a.deliveredTo, b.deliveredTo),
    readBy: all(a.readBy, b.readBy),
  };
  return same(a, joined) ? a : joined;
}

/** The same content may come with a newer URL, and with what was made of the file meanwhile. */
function joinAttachments(a: readonly Attachment[], b: readonly Attachment[]): readonly Attachment[] {
  if (a.length !== b.length) return a.length > b.length ? a : b;
  let changed = false;
  const joined = a.map((x, i) => {
    const y = b[i]!;
    const newer = y.urlExpiresAt > x.urlExpiresAt ? y : x;
    const each = {
      ...x,
      url: newer.url,
      urlExpiresAt: newer.urlExpiresAt,
      thumbnailUrl: newer.thumbnailUrl || x.thumbnailUrl || y.thumbnailUrl,
      width: x.width || y.width,
      height: x.height || y.height,
      blurhash: x.blurhash || y.blurhash,
    };
    if (same(x, each)) return x;
    changed = true;
    return each;
  });
  return changed ? joined : a;
}

/** Whether this user is in the chat, as far as is known. */
export function isMember(chat: Chat): boolean {
  return chat.revision > chat.removedAt;
}

/** The shared fields of the higher revision; what only grows, grows; a chat that was left keeps only that it was. */
export function joinChat(a: Chat, b: Chat): Chat {
  const shared = b.revision > a.revision ? b : a;
  const members = b.membersRevision > a.membersRevision ? b : a;
  const role = b.roleRevision > a.roleRevision ? b : a;
  const count = joinCount(a.count, b.count);
  const gone = beyond(a.gone, b.gone, count.lastSeq);
  const removedAt = Math.max(a.removedAt, b.removedAt);
  if (removedAt >= 0 && removedAt >= shared.revision) {
    const left = { ...blankChat(a.chatId), revision: shared.revision, removedAt };
    return a.removedAt === removedAt && a.revision === shared.revision ? a : left;
  }
  const joined: Chat = {
    chatId: a.chatId,
    revision: shared.revision,
    kind: shared.kind,
    title: shared.title,
    avatarUrl: shared.avatarUrl,
    memberCount: shared.memberCount,
    createdAt: shared.createdAt,
    members: members.members,
    membersRevision: members.membersRevision,
    removedAt,
    role: role.role,
    roleRevision: role.roleRevision,
    visibleFrom: Math.max(a.visibleFrom, b.visibleFrom),
    settings: b.settings.revision > a.settings.revision ? b.settings : a.settings,
    lastSeq: Math.max(a.lastSeq, b.lastSeq),
    last: joinLast(a.last, b.last),
    count,
    above: less(beyond(a.above, b.above, count.lastSeq), gone),
    gone,
    held: union(a.held, b.held),
  };
  return same(a, joined) ? a : joined;
}

function joinLast(a: Message | null, b: Message | null): Message | null {
  if (a === null || b === null) return a ?? b;
  if (a.seq === b.seq) return joinMessage(a, b);
  return b.seq > a.seq ? b : a;
}

/** Of two counts the one counted later, of equals the lower. */
export function joinCount(a: Count, b: Count): Count {
  if (b.lastSeq > a.lastSeq) return b;
  return b.lastSeq === a.lastSeq && b.unread < a.unread ? b : a;
}

/** What lies above a count; up to there the count says it. */
function beyond(a: Runs, b: Runs, lastSeq: number): Runs {
  const both = union(a, b);
  const low = both[0];
  return low && low[0] <= lastSeq ? within(both, lastSeq + 1, Number.MAX_SAFE_INTEGER) : both;
}

export function joinSets(a: Sets, b: Sets): Sets {
  const read = union(a.read, b.read);
  // Reading implies delivery.
  const delivered = union(union(a.delivered, b.delivered), read);
  const seen = union(a.seen, b.seen);
  if (read === a.read && delivered === a.delivered && seen === a.seen) return a;
  return { chatId: a.chatId, userId: a.userId, delivered, read, seen };
}

export function joinUser(a: User, b: User): User {
  return b.asOf > a.asOf ? b : a;
}

/** The later; of equals what came later by the way, and so does what hides its time. */
export function joinPresence(a: Presence | undefined, b: Presence): Presence {
  if (!a || b.at === null || a.at === null || b.at >= a.at) return b;
  return a;
}

export function joinBlock(a: Block, b: Block): Block {
  return b.revision > a.revision ? b : a;
}

/** One that is brought up to date is unread again; of one time, once read is read. */
export function joinNotice(a: Notice, b: Notice): Notice {
  return b.updatedAt > a.updatedAt || (b.updatedAt === a.updatedAt && b.read && !a.read) ? b : a;
}

export function joinPending(a: Pending, b: Pending): Pending {
  return b.version > a.version ? b : a;
}

function all(a: readonly string[], b: readonly string[]): readonly string[] {
  if (b.length === 0 || b.every((x) => a.includes(x))) return a;
  // Sorted, so that the order of arrival leaves no trace.
  return [...new Set([...a, ...b])].sort();
}

/** Whether two rows have the very same fields. */
function same<T extends object>(a: T, b: T): boolean {
  for (const key in a) if (!Object.is(a[key], b[key])) return false;
  return true;
}
