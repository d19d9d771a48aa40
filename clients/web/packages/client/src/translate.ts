/** From the contract's messages to rows and inputs. Decides nothing. */

import type { Duration, Timestamp } from "@bufbuild/protobuf/wkt";

import { ChatKind, MemberRole, type Chat as ProtoChat, type ChatSettings, type Member as ProtoMember,
  type Presence as ProtoPresence } from "./gen/adda/v1/chat_pb.js";
import type { Event } from "./gen/adda/v1/event_pb.js";
import { MessageType, SystemNoteKind, type Attachment as ProtoAttachment,
  type Message as ProtoMessage } from "./gen/adda/v1/message_pb.js";
import type { SeqRange } from "./gen/adda/v1/receipts_pb.js";
import type { Limits as ProtoLimits, ReadOutcome } from "./gen/adda/v1/stream_pb.js";
import type { User as ProtoUser } from "./gen/adda/v1/user_pb.js";
import { blankChat, blankSets } from "./join.js";
import { NO_LIMITS, type Attachment, type Chat, type Count, type Limits, type Member, type Message,
  type MessageKind, type NoteKind, type Presence, type Role, type Settings, type Tick, type User } from "./model.js";
import { levelOf, noticed } from "./notices.js";
import { listed, type Input } from "./reduce.js";
import { normal, type Runs } from "./runs.js";

/** A time in milliseconds; 0: none. */
export function timeOf(at: Timestamp | undefined): number {
  return at ? Number(at.seconds) * 1000 + Math.floor(at.nanos / 1e6) : 0;
}

/** A span in milliseconds. */
export function millisOf(span: Duration | undefined): number {
  return span ? Number(span.seconds) * 1000 + Math.floor(span.nanos / 1e6) : 0;
}

export function runsOf(ranges: readonly SeqRange[]): Runs {
  return normal(ranges.map(({ first, last }) => [first, last] as const));
}

const KINDS: Partial<Record<MessageType, MessageKind>> = {
  [MessageType.TEXT]: "text", [MessageType.IMAGE]: "image", [MessageType.MEDIA]: "media", [MessageType.DOC]: "doc",
  [MessageType.MIXED]: "mixed", [MessageType.SYSTEM]: "system",
};

const NOTES: Partial<Record<SystemNoteKind, NoteKind>> = {
  [SystemNoteKind.GROUP_CREATED]: "created", [SystemNoteKind.MEMBERS_ADDED]: "added",
  [SystemNoteKind.MEMBERS_REMOVED]: "removed", [SystemNoteKind.MEMBER_LEFT]: "left",
  [SystemNoteKind.TITLE_CHANGED]: "title", [SystemNoteKind.AVATAR_CHANGED]: "avatar",
  [SystemNoteKind.ADMINS_APPOINTED]: "appointed", [SystemNoteKind.ADMINS_DISMISSED]: "dismissed",
  [SystemNoteKind.OWNER_CHANGED]: "owner", [SystemNoteKind.ANNOUNCEMENT]: "announcement",
};

const ROLES: Partial<Record<MemberRole, Role>> = {
  [MemberRole.MEMBER]: "member", [MemberRole.ADMIN]: "admin", [MemberRole.OWNER]: "owner",
};

export function attachmentOf(file: ProtoAttachment): Attachment {
  return {
    attachmentId: file.attachmentId,
    fileName: file.fileName,
    contentType: file.contentType,
    sizeBytes: file.sizeBytes,
    url: file.url,
    urlExpiresAt: timeOf(file.urlExpiresAt),
    width: file.width,
    height: file.height,
    blurhash: file.blurhash,
    thumbnailUrl: file.thumbnailUrl,
  };
}

/** `answer`: of a call, not of an event; there the caller is the first of those who reacted. */
export function messageOf(message: ProtoMessage, me: string, answer: boolean): Message {
  const reactions = message.reactions.map(({ emoji, userIds, count }) => ({ emoji, userIds, count }));
  const mine = answer
    ? reactions.filter(({ userIds }) => userIds.includes(me)).map(({ emoji }) => emoji)
    : listed(me, reactions);
  const note = message.systemNote;
  // Of a deleted message nothing is kept that its deletion alone does not tell.
  const deletedAt = timeOf(message.deletedAt);
  return {
    chatId: message.chatId,
    seq: message.seq,
    messageId: message.messageId,
    senderId: message.senderId,
    clientMessageId: message.clientMessageId,
    createdAt: timeOf(message.createdAt),
    replyToMessageId: message.replyToMessageId,
    replyToSeq: message.replyToSeq,
    note: note
      ? { kind: NOTES[note.kind] ?? "unknown", actorId: note.actorId, userIds: note.userIds, title: note.title }
      : null,
    revision: message.revision,
    kind: deletedAt > 0 ? "text" : KINDS[message.type] ?? "text",
    text: message.text,
    attachments: message.attachments.map(attachmentOf),
    mentions: message.mentions,
    editedAt: deletedAt > 0 ? 0 : timeOf(message.editedAt),
    deletedAt,
    reactions,
    reactionsRevision: message.revision,
    mine: mine ?? [],
    mineRevision: mine ? message.revision : -1,
    hidden: message.hidden,
    state: Math.min(3, message.state) as Tick,
    deliveredTo: [...message.deliveredTo].sort(),
    readBy: [...message.readBy].sort(),
  };
}

export function memberOf(member: ProtoMember): Member {
  return {
    userId: member.userId,
    role: ROLES[member.role] ?? "member",
    joinedAt: timeOf(member.joinedAt),
    visibleFrom: Math.max(1, member.visibleFromSeq),
  };
}

/** What a member is called, unless adda has not met them yet. */
export function profileInputs({ userId, displayName, avatarUrl, profileUpdatedAt }: ProtoMember): Input[] {
  if (!profileUpdatedAt) return [];
  return [{ type: "user", user: { userId, name: displayName, avatarUrl, asOf: timeOf(profileUpdatedAt) } }];
}

export function settingsOf(settings: ChatSettings): Settings {
  return {
    revision: settings.revision,
    pinnedAt: timeOf(settings.pinnedAt),
    archived: settings.archived,
    mutedUntil: timeOf(settings.mutedUntil),
    level: levelOf(settings.notificationLevel),
    levelUntil: timeOf(settings.notificationLevelUntil),
  };
}

export function presenceOf(presence: ProtoPresence): Presence {
  const at = presence.isOnline ? presence.since : presence.lastActive;
  return { online: presence.isOnline, at: at ? timeOf(at) : null };
}

export function userOf(user: ProtoUser): User {
  return { userId: user.userId, name: user.displayName, avatarUrl: user.avatarUrl, asOf: timeOf(user.updatedAt) };
}

export function countOf(outcome: ReadOutcome): Count {
  return { unread: outcome.unreadCount, lastSeq: outcome.lastSeq };
}

export function limitsOf(limits: ProtoLimits | undefined): Limits {
  if (!limits) return NO_LIMITS;
  return {
    maxTextBytes: limits.maxTextBytes || NO_LIMITS.maxTextBytes,
    maxGroupMembers: limits.maxGroupMembers || NO_LIMITS.maxGroupMembers,
    maxReceiptMembers: limits.maxReceiptMembers || NO_LIMITS.maxReceiptMembers,
    editWindowMs: millisOf(limits.editWindow) || NO_LIMITS.editWindowMs,
    maxAttachmentBytes: limits.maxAttachmentBytes,
    maxAttachments: limits.maxAttachments || NO_LIMITS.maxAttachments,
  };
}

/**
 * A chat, and what else it tells. `answer`: this user asked for it, so it also says what is of this user; an event
 * does not.
 */
export function chatInputs(chat: ProtoChat, me: string, answer: boolean): Input[] {
  const { chatId } = chat;
  const own = chat.membership ?? chat.members.find(({ userId }) => userId === me);
  const last = chat.lastMessage ? messageOf(chat.lastMessage, me, true) : null;
  const row: Chat = {
    ...blankChat(chatId),
    revision: chat.revision,
    kind: chat.kind === ChatKind.DIRECT ? "direct" : "group",
    title: chat.title,
    avatarUrl: chat.avatarUrl,
    memberCount: chat.memberCount,
    createdAt: timeOf(chat.createdAt),
    members: chat.members.map(memberOf),
    membersRevision: chat.members.length > 0 ? chat.revision : -1,
    role: (own && ROLES[own.role]) ?? "member",
    roleRevision: own ? chat.revision : -1,
    visibleFrom: Math.max(1, own?.visibleFromSeq ?? 1),
    lastSeq: answer ? chat.lastSeq : 0,
    last,
    count: answer && chat.unreadCount !== undefined
      ? { unread: chat.unreadCount, lastSeq: chat.lastSeq }
      : { unread: 0, lastSeq: -1 },
    ...(answer && chat.settings ? { settings: settingsOf(chat.settings) } : {}),
  };
  const inputs: Input[] = [{ type: "chat", chat: row }];
  for (const member of chat.membership ? [...chat.members, chat.membership] : chat.members) {
    inputs.push(...profileInputs(member));
    if (member.delivered.length + member.read.length > 0) {
      const sets = { ...blankSets(chatId, member.userId), delivered: runsOf(member.delivered),
        read: runsOf(member.read) };
      inputs.push({ type: "sets", sets });
    }
  }
  const other = row.kind === "direct" ? chat.members.find(({ userId }) => userId !== me) : undefined;
  if (chat.presence && other) {
    inputs.push({ type: "presence", userId: other.userId, presence: presenceOf(chat.presence) });
  }
  return inputs;
}

/** An event; of a kind that is not known here: none. */
export function eventInputs({ event }: Event, me: string, now: number): Input[] {
  switch (event.case) {
    case "messageSent":
    case "messageEdited": {
      if (!event.value.message) return [];
      const message = messageOf(event.value.message, me, false);
      return [{ type: "message", message, live: event.case === "messageSent" }];
    }
    case "messageDeleted": {
      const { chatId, seq, messageId, senderId, revision } = event.value;
      const deletedAt = timeOf(event.value.deletedAt);
      return [{ type: "deleted", chatId, seq, messageId, senderId, revision, deletedAt }];
    }
    case "messageDelivered":
    case "messageRead": {
      const { chatId, userId } = event.value;
      const runs = runsOf(event.value.seqs);
      const read = event.case === "messageRead";
      const sets = { ...blankSets(chatId, userId), delivered: runs, ...(read ? { read: runs } : {}) };
      const inputs: Input[] = [{ type: "sets", sets }];
      if (read && event.value.unreadCount !== undefined && event.value.lastSeq !== undefined) {
        const count = { unread: event.value.unreadCount, lastSeq: event.value.lastSeq };
        inputs.push({ type: "count", chatId, count });
      }
      return inputs;
    }
    case "chatUpdated": {
      const { chat, removed } = event.value;
      if (!chat) return [];
      if (!removed) return chatInputs(chat, me, false);
      return [{ type: "chat", chat: { ...blankChat(chat.chatId), removedAt: chat.revision } }];
    }
    case "reactionsUpdated": {
      const { chatId, seq, messageId, revision, userId, userEmojis } = event.value;
      const reactions = event.value.reactions.map(({ emoji, userIds, count }) => ({ emoji, userIds, count }));
      return [{ type: "reactions", chatId, seq, messageId, reactions, revision, userId, userEmojis }];
    }
    case "messageHidden": {
      const { chatId, seq, messageId } = event.value;
      return [{ type: "hidden", chatId, seq, messageId }];
    }
    case "chatSettingsUpdated": {
      const { chatId, settings } = event.value;
      return settings ? [{ type: "settings", chatId, settings: settingsOf(settings) }] : [];
    }
    case "userUpdated":
      return event.value.user ? [{ type: "user", user: userOf(event.value.user) }] : [];
    case "blockUpdated": {
      const { userId, blocked, revision } = event.value;
      return [{ type: "block", block: { userId, blocked, revision } }];
    }
    case "notificationCreated":
      return [noticed(event.value)];
    case "userTyping": {
      const { chatId, userId, typing } = event.value;
      return [{ type: "typing", chatId, userId, typing, now }];
    }
    case "userOnline": {
      const { userId, since } = event.value;
      return [{ type: "presence", userId, presence: { online: true, at: since ? timeOf(since) : null } }];
    }
    case "userOffline": {
      const { userId, lastActive } = event.value;
      return [{ type: "presence", userId, presence: { online: false, at: lastActive ? timeOf(lastActive) : null } }];
    }
    default:
      return [];
  }
}
