/**
 * What there is, as a product's code sees it: plain values, times in milliseconds since 1970, nothing of protobuf.
 *
 * Each of these is a row that can be *joined* with another copy of itself (`join.ts`): the same picture comes of any
 * order and any repetition. So a row has its own revisions beside its fields; -1 means that nothing is known yet.
 */

import type { Runs } from "./runs.js";

export type ChatKind = "direct" | "group";
export type Role = "member" | "admin" | "owner";
export type MessageKind = "text" | "image" | "media" | "doc" | "mixed" | "system";

/** How far an own message has come: not said, one tick, two ticks, two blue ticks. */
export type Tick = 0 | 1 | 2 | 3;
export const SENT = 1;
export const DELIVERED = 2;
export const SEEN = 3;

/** A file that hangs on a message. */
export interface Attachment {
  readonly attachmentId: string;
  readonly fileName: string;
  readonly contentType: string;
  readonly sizeBytes: number;
  /** Works until `urlExpiresAt`; then `Adda.attachment` gives another. */
  readonly url: string;
  readonly urlExpiresAt: number;
  /** As it is to be shown; 0: not known. */
  readonly width: number;
  readonly height: number;
  readonly blurhash: string;
  readonly thumbnailUrl: string;
}

/** Who reacted with one emoji: at most 50 by name. */
export interface Reaction {
  readonly emoji: string;
  readonly userIds: readonly string[];
  readonly count: number;
}

export type NoteKind =
  | "created" | "added" | "removed" | "left" | "title" | "avatar"
  | "appointed" | "dismissed" | "owner" | "announcement" | "unknown";

/** What happened to the chat, in parts, so that each client says it in its reader's language. */
export interface Note {
  readonly kind: NoteKind;
  readonly actorId: string;
  readonly userIds: readonly string[];
  readonly title: string;
}

/** One message. `createdAt` 0: only changes to it have been heard of, not the message itself. */
export interface Message {
  readonly chatId: string;
  readonly seq: number;
  readonly messageId: string;
  readonly senderId: string;
  readonly clientMessageId: string;
  readonly createdAt: number;
  readonly replyToMessageId: string;
  readonly replyToSeq: number;
  readonly note: Note | null;

  /** Orders what follows up to `deletedAt`; -1: as this device typed it, not yet as the server has it. */
  readonly revision: number;
  readonly kind: MessageKind;
  readonly text: string;
  readonly attachments: readonly Attachment[];
  readonly mentions: readonly string[];
  /** 0: never. */
  readonly editedAt: number;
  /** 0: not deleted. Otherwise the content is gone, the place stays. */
  readonly deletedAt: number;

  readonly reactions: readonly Reaction[];
  readonly reactionsRevision: number;
  /** The emoji of this user: `reactions` does not list everyone. */
  readonly mine: readonly string[];
  readonly mineRevision: number;

  /** Deleted by this user for themselves. */
  readonly hidden: boolean;

  /** What answers said of an own message; `tick()` has the whole truth. */
  readonly state: Tick;
  readonly deliveredTo: readonly string[];
  readonly readBy: readonly string[];
}

export interface Member {
  readonly userId: string;
  readonly role: Role;
  readonly joinedAt: number;
  /** The first message this member may see: none below waits for their tick. */
  readonly visibleFrom: number;
}

/** What this user has set for a chat. */
export interface Settings {
  readonly revision: number;
  /** 0: not pinned. */
  readonly pinnedAt: number;
  readonly archived: boolean;
  /** 0: not muted. */
  readonly mutedUntil: number;
  /** Of which messages the user is told; `select.levelOf` knows whether that still holds. Lacks in old rows. */
  readonly level?: Level;
  /** 0: for good. */
  readonly levelUntil?: number;
}

/** Of which messages of a chat a user is told: of all, of those that mention or answer them, of none. */
export type Level = "all" | "mentions" | "none";

/** How a user wants to be told, on all devices. */
export interface Preferences {
  readonly off: boolean;
  /** How much is said: who writes and what, who alone, or only that there is a message. */
  readonly preview: "full" | "sender" | "none";
  readonly silent: boolean;
  readonly quietHours: readonly QuietHours[];
  /** An IANA name; empty: UTC. */
  readonly timeZone: string;
  /** What mentions or answers this user rings in quiet hours all the same. */
  readonly mentionsPierce: boolean;
  /** Of two copies the higher is newer. */
  readonly revision: number;
}

/** A time of the week at which nothing rings. Minutes since midnight; `end` not after `start`: on the next day. */
export interface QuietHours {
  /** On which days it begins, Monday 1 to Sunday 7; none: on all. */
  readonly weekdays: readonly number[];
  readonly start: number;
  readonly end: number;
}

export type NoticeKind = "messages" | "mention" | "reaction" | "added" | "announcement";

/** Something in the list of notifications. Not on disk: the list is asked for. */
export interface Notice {
  readonly noticeId: string;
  readonly kind: NoticeKind;
  readonly chatId: string;
  /** Of several messages the newest; 0: none. */
  readonly seq: number;
  /** Who did it; empty: the product. */
  readonly actorId: string;
  /** Of how many messages or reactions it tells; 0: of none any more. */
  readonly count: number;
  readonly emoji: string;
  readonly updatedAt: number;
  readonly read: boolean;
}

/** Unread messages of others up to `lastSeq`, which was the newest when counting began. */
export interface Count {
  readonly unread: number;
  readonly lastSeq: number;
}

/** One chat as it is kept. `isMember` says whether this user is in it; `unread()` what to show on it. */
export interface Chat {
  readonly chatId: string;
  /** Orders the next five. */
  readonly revision: number;
  readonly kind: ChatKind;
  readonly title: string;
  readonly avatarUrl: string;
  readonly memberCount: number;
  readonly createdAt: number;
  /** Of direct chats both; of groups all, or above 256 those with a role. Inboxes come without. */
  readonly members: readonly Member[];
  readonly membersRevision: number;
  /** The revision at which this user was no member any more; -1: never. */
  readonly removedAt: number;

  readonly role: Role;
  readonly roleRevision: number;
  readonly visibleFrom: number;
  readonly settings: Settings;

  readonly lastSeq: number;
  readonly last: Message | null;
  readonly count: Count;
  /** Messages of others above `count.lastSeq` that count, and those that do not any more. */
  readonly above: Runs;
  readonly gone: Runs;
  /** Which messages are on this device. */
  readonly held: Runs;
}

/** What one member has received and read. Of this user also what was on screen here, before the server knows. */
export interface Sets {
  readonly chatId: string;
  readonly userId: string;
  readonly delivered: Runs;
  readonly read: Runs;
  readonly seen: Runs;
}

export interface User {
  readonly userId: string;
  readonly name: string;
  readonly avatarUrl: string;
  /** When name or picture were set. */
  readonly asOf: number;
}

/** `at`: online since, or last here; `null`: never seen, or hidden. */
export interface Presence {
  readonly online: boolean;
  readonly at: number | null;
}

export interface Block {
  readonly userId: string;
  readonly blocked: boolean;
  readonly revision: number;
}

/** A file on its way. */
export interface PendingFile {
  readonly name: string;
  readonly type: string;
  readonly size: number;
  readonly blob: Blob;
  /** Once the server has given them. */
  readonly attachmentId: string;
  readonly uploadUrl: string;
  readonly partBytes: number;
  /** Bytes that are there. */
  readonly sent: number;
}

/** A message that has not been stored yet. It is on disk before it is sent, and goes out once. */
export interface Pending {
  readonly clientMessageId: string;
  readonly chatId: string;
  readonly text: string;
  readonly replyToMessageId: string;
  readonly replyToSeq: number;
  readonly mentions: readonly string[];
  readonly files: readonly PendingFile[];
  readonly createdAt: number;
  /** Rises with each change of this row. */
  readonly version: number;
  /** Not null: the server will not have it. The user may try again or drop it. */
  readonly failed: Failure | null;
}

/** Why something did not work, in parts that a page can say in its own language. */
export interface Failure {
  /** As in `ErrorReason`, like `RATE_LIMITED`; `NETWORK`: nobody answered. */
  readonly reason: string;
  /** For developers, in English. */
  readonly message: string;
  readonly field: string;
  readonly metadata: Readonly<Record<string, string>>;
  readonly requestId: string;
  /** Milliseconds; null: repeating changes nothing. */
  readonly retryAfter: number | null;
}

/** How it stands with the stream. */
export type Link =
  | { readonly kind: "connecting" }
  | { readonly kind: "up"; readonly sessionId: string }
  /** Tries again at that time by this device's clock. */
  | { readonly kind: "waiting"; readonly until: number }
  /** Comes back only when it is told to. */
  | { readonly kind: "stopped"; readonly reason: "signed-out" | "superseded" | "too-old" | "refused" };

/** What the server allows; 0: not said. */
export interface Limits {
  readonly maxTextBytes: number;
  readonly maxGroupMembers: number;
  readonly maxReceiptMembers: number;
  readonly editWindowMs: number;
  readonly maxAttachmentBytes: number;
  readonly maxAttachments: number;
}

export const NO_LIMITS: Limits = {
  maxTextBytes: 8192,
  maxGroupMembers: 10_000,
  maxReceiptMembers: 256,
  editWindowMs: 15 * 60_000,
  maxAttachmentBytes: 0,
  maxAttachments: 10,
};
