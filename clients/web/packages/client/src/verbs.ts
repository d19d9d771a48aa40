/** What a user does with messages, chats and people, each one call: what it answers is taken in at once. */

import type { MessageInitShape } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import type { CallOptions } from "@connectrpc/connect";

import { ChatKind, MemberRole, type Chat as ProtoChat } from "./gen/adda/v1/chat_pb.js";
import { DeleteScope } from "./gen/adda/v1/message_calls_pb.js";
import type { Message as ProtoMessage } from "./gen/adda/v1/message_pb.js";
import { Platform } from "./gen/adda/v1/notification_pb.js";
import type { MarkNotificationsReadRequestSchema } from "./gen/adda/v1/notification_service_pb.js";
import type { Attachment, Level, Member, Message, Preferences, Role, User } from "./model.js";
import { LEVELS, preferencesFor, preferencesOf, readNotices, readPreferences } from "./notices.js";
import { readChat } from "./session/mend.js";
import type { Core } from "./session/core.js";
import { attachmentOf, chatInputs, memberOf, messageOf, profileInputs, settingsOf, userOf } from "./translate.js";

/** A page of something; `next` is given to the next question, and empty after the last. */
export interface Page<T> {
  readonly items: readonly T[];
  readonly next: string;
}

export interface Privacy {
  readonly hideLastActive: boolean;
  readonly hideReadReceipts: boolean;
}

const ROLES = { member: MemberRole.MEMBER, admin: MemberRole.ADMIN, owner: MemberRole.OWNER } as const;

/** Each throws `AddaError`. */
export abstract class Verbs {
  protected abstract readonly core: Core;

  /** New text for an own message, while `select.mayEdit`. */
  async edit(message: Message, text: string, mentions: readonly string[] = []): Promise<void> {
    const { chatId, messageId } = message;
    const request = { chatId, messageId, text, mentions: [...mentions] };
    const answer = await this.core.calls.call((options) => this.core.calls.chat.editMessage(request, options));
    await this.adopt(answer.message);
  }

  /** Deletes for everyone, or for this user alone. */
  async remove(message: Message, forEveryone: boolean): Promise<void> {
    const { chatId, messageId, seq } = message;
    const scope = forEveryone ? DeleteScope.EVERYONE : DeleteScope.ME;
    const answer = await this.core.calls.call((options) =>
      this.core.calls.chat.deleteMessage({ chatId, messageId, scope }, options));
    await this.adopt(answer.message);
    if (!forEveryone) await this.core.commit([{ type: "hidden", chatId, seq, messageId }]);
  }

  /** Adds an emoji, or takes it back. */
  async react(message: Message, emoji: string, on: boolean): Promise<void> {
    const { chatId, messageId } = message;
    const request = { chatId, messageId, emoji };
    const { chat } = this.core.calls;
    const answer = await this.core.calls.call<{ message?: ProtoMessage | undefined }>((options) =>
      on ? chat.addReaction(request, options) : chat.removeReaction(request, options));
    await this.adopt(answer.message);
  }

  private async adopt(message: ProtoMessage | undefined): Promise<void> {
    if (message) await this.core.commit([{ type: "message", message: messageOf(message, this.core.state().me, true) }]);
  }

  /** Messages by what they say, newest first; of one chat, or of all. */
  async search(query: string, where: { chatId?: string; pageToken?: string } = {}): Promise<Page<Message>> {
    const request = { query, chatId: where.chatId ?? "", pageToken: where.pageToken ?? "", pageSize: 30 };
    const answer = await this.core.calls.call((options) => this.core.calls.chat.searchMessages(request, options));
    return { items: answer.messages.map((each) => messageOf(each, this.core.state().me, true)), next: answer.nextPageToken };
  }

  /** A file with a URL that works now. */
  async attachment(attachmentId: string, chatId: string): Promise<Attachment | null> {
    const request = { attachmentId, chatId };
    const answer = await this.core.calls.call((options) => this.core.calls.files.getAttachment(request, options));
    return answer.attachment ? attachmentOf(answer.attachment) : null;
  }

  /** The direct chat with a user, made if there is none. Answers its id. */
  async openDirect(userId: string): Promise<string> {
    return this.create({ kind: ChatKind.DIRECT, memberIds: [userId] });
  }

  /** Makes a group. With the same `key` again it is the same group. */
  async createGroup(title: string, memberIds: readonly string[], key: string = this.core.env.uuid()): Promise<string> {
    return this.create({ kind: ChatKind.GROUP, memberIds: [...memberIds], title, clientChatId: key });
  }

  private async create(request: { kind: ChatKind; memberIds: string[]; title?: string; clientChatId?: string }): Promise<string> {
    const { chat } = await this.core.calls.call((options) => this.core.calls.chat.createChat(request, options));
    if (!chat) return "";
    await this.core.commit(chatInputs(chat, this.core.state().me, true));
    return chat.chatId;
  }

  async rename(chatId: string, title: string): Promise<void> {
    await this.change((options) => this.core.calls.chat.updateChat({ chatId, title }, options));
  }

  async addMembers(chatId: string, userIds: readonly string[]): Promise<void> {
    await this.change((options) => this.core.calls.chat.addMembers({ chatId, userIds: [...userIds] }, options));
  }

  async removeMember(chatId: string, userId: string): Promise<void> {
    await this.change((options) => this.core.calls.chat.removeMember({ chatId, userId }, options));
  }

  async setRole(chatId: string, userId: string, role: Role): Promise<void> {
    await this.change((options) => this.core.calls.chat.setMemberRole({ chatId, userId, role: ROLES[role] }, options));
  }

  private async change(how: (options: CallOptions) => Promise<{ chat?: ProtoChat | undefined }>): Promise<void> {
    const { chat } = await this.core.calls.call(how);
    if (chat) await this.core.commit(chatInputs(chat, this.core.state().me, true));
  }

  async leave(chatId: string): Promise<void> {
    await this.core.calls.call((options) => this.core.calls.chat.leaveGroup({ chatId }, options));
  }

  async deleteGroup(chatId: string): Promise<void> {
    await this.core.calls.call((options) => this.core.calls.chat.deleteChat({ chatId }, options));
  }

  async listMembers(chatId: string, pageToken = ""): Promise<Page<Member>> {
    const request = { chatId, pageToken, pageSize: 200 };
    const answer = await this.core.calls.call((options) => this.core.calls.chat.listMembers(request, options));
    await this.core.commit(answer.members.flatMap(profileInputs));
    return { items: answer.members.map(memberOf), next: answer.nextPageToken };
  }

  /** Pins, archives or mutes, on all devices of this user. `mutedUntil` 0: heard again. */
  async setSettings(
    chatId: string,
    wish: { pinned?: boolean; archived?: boolean; mutedUntil?: number },
  ): Promise<void> {
    const { mutedUntil, ...rest } = wish;
    const request = { chatId, ...rest,
      ...(mutedUntil === undefined ? {} : { mutedUntil: timestampFromMs(Math.max(mutedUntil, 1)) }) };
    const { settings } = await this.core.calls.call((options) => this.core.calls.chat.setChatSettings(request, options));
    if (settings) await this.core.commit([{ type: "settings", chatId, settings: settingsOf(settings) }]);
  }

  /** Of which messages of a chat the user is told, until then; 0: for good. */
  async setLevel(chatId: string, level: Level, until = 0): Promise<void> {
    const { calls } = this.core;
    const request = { chatId, level: LEVELS[level], ...(until > 0 ? { until: timestampFromMs(until) } : {}) };
    await calls.call((options) => calls.notices.setChatNotifications(request, options));
    await readChat(this.core, chatId);
  }

  /** How this user wants to be told, into `state.preferences`: as it is now, or all of it anew. */
  async preferences(wish?: Omit<Preferences, "revision">): Promise<void> {
    if (!wish) return readPreferences(this.core);
    const { calls } = this.core;
    const request = { preferences: preferencesFor(wish) };
    const { preferences } = await calls.call((options) => calls.notices.updatePreferences(request, options));
    if (preferences) this.core.moment([{ type: "preferences", preferences: preferencesOf(preferences) }]);
  }

  /** Pushes come to this browser from now on: the token is Firebase's. At each start of the app, and when it is another. */
  async registerPush(pushToken: string, locale: string, appVersion = ""): Promise<void> {
    const { calls, device: deviceId } = this.core;
    const request = { deviceId, pushToken, platform: Platform.WEB, locale, appVersion };
    await calls.call((options) => calls.notices.registerDevice(request, options));
  }

  /** No pushes to this browser any more: before signing out. */
  async unregisterPush(): Promise<void> {
    const { calls, device: deviceId } = this.core;
    await calls.call((options) => calls.notices.unregisterDevice({ deviceId }, options));
  }

  /** Reads notifications, newest first, into `select.notices`. Answers what to ask on with; empty after the last. */
  async listNotices(pageToken = ""): Promise<string> {
    return readNotices(this.core, pageToken);
  }

  /** The user has seen these, at most 100. */
  async markNotices(noticeIds: readonly string[]): Promise<void> {
    await this.markSeen({ notificationIds: [...noticeIds] }, noticeIds);
  }

  /** The user has seen all that came until then, as `updatedAt` has it. */
  async markNoticesUntil(until: number): Promise<void> {
    const read = [...this.core.state().notices.values()].filter(({ updatedAt }) => updatedAt <= until);
    await this.markSeen({ allUntil: timestampFromMs(until) }, read.map(({ noticeId }) => noticeId));
  }

  private async markSeen(request: MessageInitShape<typeof MarkNotificationsReadRequestSchema>,
    read: readonly string[]): Promise<void> {
    const { calls } = this.core;
    const { unreadCount } = await calls.call((options) => calls.notices.markNotificationsRead(request, options));
    this.core.moment([{ type: "notices", notices: [], read, unread: unreadCount }]);
  }

  /** Users whom this one shares or shared a chat with; others are left out. */
  async users(userIds: readonly string[]): Promise<readonly User[]> {
    const answer = await this.core.calls.call((options) => this.core.calls.users.getUsers({ userIds: [...userIds] }, options));
    const users = answer.users.map(userOf);
    await this.core.commit(users.map((user) => ({ type: "user", user })));
    return users;
  }

  async block(userId: string, blocked: boolean): Promise<void> {
    const { users } = this.core.calls;
    await this.core.calls.call<unknown>((options) =>
      blocked ? users.blockUser({ userId }, options) : users.unblockUser({ userId }, options));
  }

  async listBlocked(pageToken = ""): Promise<Page<User>> {
    const answer = await this.core.calls.call((options) => this.core.calls.users.listBlockedUsers({ pageToken }, options));
    return { items: answer.users.flatMap(({ user }) => (user ? [userOf(user)] : [])), next: answer.nextPageToken };
  }

  /** What this user hides of themselves, and so does not see of others; changed where wished. */
  async privacy(wish?: Partial<Privacy>): Promise<Privacy> {
    const { users } = this.core.calls;
    const told = await this.core.calls.call(async (options) =>
      wish ? (await users.updatePrivacy(wish, options)).privacy : (await users.getPrivacy({}, options)).privacy);
    return { hideLastActive: told?.hideLastActive ?? false, hideReadReceipts: told?.hideReadReceipts ?? false };
  }
}
