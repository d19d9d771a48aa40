/** A server that says what a test tells it to, and remembers what it was asked. */

import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { durationFromMs, timestampFromMs, timestampMs } from "@bufbuild/protobuf/wkt";
import { Code, ConnectError, createRouterTransport, type Interceptor, type ServiceImpl } from "@connectrpc/connect";

import type { TransportMaker } from "../src/calls.js";
import { ChatKind, ChatSchema, ChatSettingsSchema, MemberRole } from "../src/gen/adda/v1/chat_pb.js";
import { ChatService } from "../src/gen/adda/v1/chat_service_pb.js";
import { EventSchema } from "../src/gen/adda/v1/event_pb.js";
import { MessageSchema, MessageType, type Message } from "../src/gen/adda/v1/message_pb.js";
import { NotificationPreferencesSchema, NotificationSchema, Platform } from "../src/gen/adda/v1/notification_pb.js";
import { NotificationService } from "../src/gen/adda/v1/notification_service_pb.js";
import { ResumeOutcome, ServerFrameSchema, type CloseReason, type Hello, type MessageSend,
  type ServerFrame } from "../src/gen/adda/v1/stream_pb.js";
import { ErrorInfoSchema, RetryInfoSchema } from "../src/gen/google/rpc/details_pb.js";
import { BOB, CHAT, ME } from "./make.js";

type Frame = MessageInitShape<typeof ServerFrameSchema>["frame"];
type Happened = MessageInitShape<typeof EventSchema>["event"];

/** An error as the contract has it. */
export function refuse(code: Code, reason: string, retryMs?: number): ConnectError {
  return new ConnectError(reason, code, undefined, [
    { desc: ErrorInfoSchema, value: { reason, domain: "adda" } },
    ...(retryMs === undefined ? [] : [{ desc: RetryInfoSchema, value: { retryDelay: durationFromMs(retryMs) } }]),
  ]);
}

export function text(seq: number, sender = BOB, more: MessageInitShape<typeof MessageSchema> = {}): Message {
  return create(MessageSchema, {
    messageId: `m${seq}`, chatId: CHAT, seq, senderId: sender, type: MessageType.TEXT, text: `text ${seq}`,
    clientMessageId: `${sender}-${seq}`, createdAt: timestampFromMs(1_000 + seq), ...more,
  });
}

/** One Subscribe. */
export class FakeStream {
  private readonly frames: ServerFrame[] = [];
  private wake: () => void = () => {};
  private over = false;
  private broken: ConnectError | null = null;

  constructor(readonly hello: Hello, readonly authorization: string) {}

  say(frame: Frame): void {
    this.frames.push(create(ServerFrameSchema, { frame } as MessageInitShape<typeof ServerFrameSchema>));
    this.wake();
  }

  ready(outcome = ResumeOutcome.RESUMED,
    more: { timeoutMs?: number; everyMs?: number; tokenMs?: number; notices?: number } = {}): void {
    this.say({ case: "ready", value: {
      sessionId: `s${this.hello.generation}`, userId: ME, serverTime: timestampFromMs(Date.now()), resumeOutcome: outcome,
      unreadNotifications: more.notices ?? 0,
      heartbeatInterval: durationFromMs(more.everyMs ?? 60_000), heartbeatTimeout: durationFromMs(more.timeoutMs ?? 60_000),
      ...(more.tokenMs ? { tokenExpiresAt: timestampFromMs(Date.now() + more.tokenMs) } : {}),
    } });
    this.say({ case: "caughtUp", value: {} });
  }

  event(event: Happened): void {
    this.say({ case: "event", value: { event } as MessageInitShape<typeof EventSchema> });
  }

  sent(message: Message): void {
    this.event({ case: "messageSent", value: { message } });
  }

  checkpoint(token: number): void {
    this.say({ case: "checkpoint", value: { resumeToken: new Uint8Array([token]), asOf: timestampFromMs(token) } });
  }

  close(reason: CloseReason, afterMs?: number): void {
    this.say({ case: "close", value: { reason, ...(afterMs ? { reconnectAfter: durationFromMs(afterMs) } : {}) } });
    this.over = true;
    this.wake();
  }

  cut(error = new ConnectError("cut", Code.Unavailable)): void {
    this.broken = error;
    this.wake();
  }

  async *read(signal: AbortSignal): AsyncGenerator<{ frame: ServerFrame }> {
    signal.addEventListener("abort", () => this.wake());
    for (;;) {
      const frame = this.frames.shift();
      if (frame) yield { frame };
      else if (this.broken) throw this.broken;
      else if (this.over || signal.aborted) return;
      else await new Promise<void>((resolve) => (this.wake = resolve));
    }
  }
}

export class FakeServer {
  readonly streams: FakeStream[] = [];
  readonly sends: MessageSend[] = [];
  readonly delivered: [number, number][][] = [];
  readonly read: [number, number][][] = [];
  readonly tokens: string[] = [];
  heartbeats = 0;
  /** What there is. */
  history: Message[] = [];
  chats = [create(ChatSchema, {
    chatId: CHAT, kind: ChatKind.DIRECT, revision: 1, memberCount: 2, unreadCount: 0,
    members: [ME, BOB].map((userId) => ({ userId, role: MemberRole.MEMBER, displayName: userId, visibleFromSeq: 1 })),
  })];
  /** `false`: a server from before there were any. */
  hasNotices = true;
  /** Where pushes go, by device. */
  readonly devices = new Map<string, string>();
  notices = [create(NotificationSchema)].slice(1);
  preferences = create(NotificationPreferencesSchema);
  levels = 0;
  /** What the next calls fail with, by name. */
  readonly fails = new Map<string, ConnectError[]>();
  /** Streams are let in, in this way. */
  opens: (stream: FakeStream) => void = (stream) => stream.ready();
  listing: Promise<void> = Promise.resolve();
  /** What is ended at the client goes on. */
  deaf = false;

  readonly transport: TransportMaker = (interceptors) => createRouterTransport(({ service }) => {
    service(ChatService, this.routes());
    if (this.hasNotices) service(NotificationService, this.noticeRoutes());
  }, { transport: { interceptors: [...interceptors, this.unheard] } });
  private readonly unheard: Interceptor = (next) => (request) =>
    next(this.deaf ? { ...request, signal: new AbortController().signal } : request);

  get stream(): FakeStream {
    return this.streams[this.streams.length - 1]!;
  }

  private may(call: string): void {
    const error = this.fails.get(call)?.shift();
    if (error) throw error;
  }

  private noticeRoutes(): Partial<ServiceImpl<typeof NotificationService>> {
    const unread = (): number => this.notices.filter(({ read }) => !read).length;
    return {
      registerDevice: ({ deviceId, pushToken, platform }) => {
        this.devices.set(deviceId, `${Platform[platform]} ${pushToken}`);
        return {};
      },
      unregisterDevice: ({ deviceId }) => {
        this.devices.delete(deviceId);
        return {};
      },
      getPreferences: () => ({ preferences: this.preferences }),
      updatePreferences: ({ preferences }) => {
        this.may("updatePreferences");
        this.preferences = { ...preferences!, revision: this.preferences.revision + 1 };
        return { preferences: this.preferences };
      },
      setChatNotifications: ({ chatId, level, until }) => {
        const chat = this.chats.find((each) => each.chatId === chatId)!;
        chat.settings = create(ChatSettingsSchema, {
          revision: ++this.levels, notificationLevel: level, ...(until ? { notificationLevelUntil: until } : {}) });
        return {};
      },
      listNotifications: ({ pageSize, pageToken }) => {
        const from = Number(pageToken);
        const rest = this.notices.length > from + pageSize ? `${from + pageSize}` : "";
        return { notifications: this.notices.slice(from, from + pageSize), nextPageToken: rest,
          ...(from === 0 ? { unreadCount: unread() } : {}) };
      },
      markNotificationsRead: ({ notificationIds, allUntil }) => {
        for (const each of this.notices) {
          const old = allUntil !== undefined && timestampMs(each.updatedAt!) <= timestampMs(allUntil);
          if (old || notificationIds.includes(each.notificationId)) each.read = true;
        }
        return { unreadCount: unread() };
      },
    };
  }

  private routes(): Partial<ServiceImpl<typeof ChatService>> {
    return {
      subscribe: ({ hello }, { requestHeader, signal }) => {
        const stream = new FakeStream(hello!, requestHeader.get("authorization") ?? "");
        this.streams.push(stream);
        this.may("subscribe");
        this.opens(stream);
        return stream.read(signal);
      },
      sendMessage: ({ message }) => {
        this.sends.push(message!);
        this.may("sendMessage");
        const before = this.history.find(({ clientMessageId }) => clientMessageId === message!.clientMessageId);
        const stored = before ?? text(this.history.length + 1, ME, {
          clientMessageId: message!.clientMessageId, text: message!.text });
        if (!before) this.history.push(stored);
        const { messageId, seq, createdAt } = stored;
        this.may("sendMessage after");
        return { outcome: { messageId, seq, duplicate: before !== undefined, ...(createdAt ? { createdAt } : {}) } };
      },
      ackDelivered: ({ ack, deviceId }) => {
        this.may("ackDelivered");
        if (!deviceId) throw new ConnectError("no device", Code.InvalidArgument);
        this.delivered.push(ack!.seqs.map(({ first, last }) => [first, last]));
        return {};
      },
      ackRead: ({ ack }) => {
        this.may("ackRead");
        this.read.push(ack!.seqs.map(({ first, last }) => [first, last]));
        return { outcome: { unreadCount: 0, lastSeq: this.history.length } };
      },
      heartbeat: (_, { requestHeader }) => {
        this.heartbeats++;
        this.tokens.push(requestHeader.get("authorization") ?? "");
        this.may("heartbeat");
        return { tokenExpiresAt: timestampFromMs(Date.now() + 3_600_000) };
      },
      listChats: async () => {
        await this.listing;
        this.may("listChats");
        return { chats: this.chats };
      },
      getChat: ({ chatId }) => {
        const chat = this.chats.find((each) => each.chatId === chatId);
        if (!chat) throw refuse(Code.NotFound, "CHAT_NOT_FOUND");
        return { chat };
      },
      listMessages: ({ anchor, pageSize }) => {
        this.may("listMessages");
        const after = anchor.case === "afterSeq" ? anchor.value : 0;
        return { messages: this.history.filter(({ seq }) => seq > after).slice(0, pageSize || 50) };
      },
      joinChat: () => ({}),
      leaveChat: () => ({}),
      setTyping: () => ({}),
    };
  }
}
