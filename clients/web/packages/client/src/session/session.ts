/**
 * The one session of this device, run by the tab that leads: opens a stream, keeps it alive, opens another as its end
 * says; meanwhile the outbox goes out, what arrives is acknowledged, and what lacks is read.
 */

import { Backoff, about } from "../backoff.js";
import { pause } from "../env.js";
import { toAddaError, wantsToken } from "../errors.js";
import { CloseReason, type Ready } from "../gen/adda/v1/stream_pb.js";
import type { Link } from "../model.js";
import { readNotices, readPreferences } from "../notices.js";
import type { Input } from "../reduce.js";
import { has } from "../runs.js";
import { peer } from "../select.js";
import { millisOf, timeOf } from "../translate.js";
import { serverNow, type Core } from "./core.js";
import { hole, readChanges, readChat, readInbox, readNames, readRange, readUnread } from "./mend.js";
import { Outbox } from "./outbox.js";
import { Receipts } from "./receipts.js";
import { Screen } from "./screen.js";
import { Stream, closeClass, type Ending, type Listener } from "./stream.js";

/** How long before a token's end another is asked for, at most. */
const REFRESH_BEFORE = 60_000;
/** Between tries to get a token. */
const TOKEN_AGAIN = 10_000;

export class Session implements Listener {
  readonly outbox: Outbox;
  readonly receipts: Receipts;
  readonly screen: Screen;
  private readonly backoff = new Backoff();
  private stream: Stream | null = null;
  private sessionId = "";
  /** Ends with the stream. */
  private life = new AbortController();
  /** Wakes whoever waits before the next stream. */
  private wakes = new AbortController();
  private heard = new Set<string>();
  /** Chats of which something is being read, and whether to look again after that. */
  private reading = new Map<string, boolean>();
  /** Whose presence was asked for on this stream. */
  private wondered = new Set<string>();
  private unnamed = new Set<string>();
  private refused = 0;

  constructor(private readonly core: Core, private readonly instance: string, private readonly client: string) {
    this.outbox = new Outbox(core);
    this.receipts = new Receipts(core);
    // What changed unheard is read at the latest when it is shown.
    this.screen = new Screen(core, () => void this.beat(), (chatId) =>
      void this.quietly(() => readChanges(core, chatId)));
  }

  /** Runs until the signal: one stream after the other. */
  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      this.link({ kind: "connecting" });
      this.wakes = new AbortController();
      const stream = new Stream(this.core, this);
      this.stream = stream;
      this.life = new AbortController();
      const { instance, client } = this;
      const ending = await stream.run({ instance, client, background: this.screen.background }, signal);
      this.down();
      if (signal.aborted) return;
      const next = await this.after(ending);
      if (next.kind === "wait" && next.ms > 0) this.link({ kind: "waiting", until: this.core.env.now() + next.ms });
      if (next.kind === "stop") this.link({ kind: "stopped", reason: next.reason });
      await this.rest(next.kind === "wait" ? next.ms : FOREVER, signal);
    }
  }

  /** Comes back at once if it waits: the network is there again, or the user asks for it. */
  wake(): void {
    this.backoff.reset();
    this.refused = 0;
    this.wakes.abort();
  }

  private async rest(ms: number, signal: AbortSignal): Promise<void> {
    if (ms <= 0) return;
    await pause(ms, AbortSignal.any([signal, this.wakes.signal]));
  }

  private link(link: Link): void {
    this.core.moment([{ type: "link", link }]);
  }

  private down(): void {
    this.life.abort();
    this.stream = null;
    this.sessionId = "";
    this.outbox.stop();
    this.receipts.stop();
    this.screen.stop();
  }

  /** What comes after a stream. */
  private async after(ending: Ending): Promise<Next> {
    const chance = this.core.env.random();
    this.backoff.lived(ending.lived);
    if (ending.kind === "cut") {
      const { error } = ending;
      if (wantsToken(error)) return this.newToken(error.reason);
      if (error.retryAfter === null) return { kind: "stop", reason: "refused" };
      const named = error.reason === "NETWORK" ? 0 : about(error.retryAfter, chance);
      return { kind: "wait", ms: Math.max(this.backoff.pause(chance), named) };
    }
    const { reason, reconnectAfter } = ending.close;
    switch (closeClass(reason)) {
      case 1:
        return { kind: "wait", ms: ending.caughtUp ? 0 : this.backoff.pause(chance) };
      case 3:
        return this.newToken("TOKEN_EXPIRED");
      case 4:
        return { kind: "stop", reason: stopped(reason) };
      default: {
        const after = millisOf(reconnectAfter);
        return { kind: "wait", ms: after > 0 ? about(after, chance) : this.backoff.pause(chance) };
      }
    }
  }

  /** A new token first; one that is refused anew, too: the user has to sign in. */
  private async newToken(reason: string): Promise<Next> {
    this.refused++;
    if (this.refused > 2 && reason !== "TOKEN_EXPIRED") return { kind: "stop", reason: "signed-out" };
    try {
      await this.core.calls.tokens.get(true);
      return { kind: "wait", ms: this.refused > 1 ? this.backoff.pause(this.core.env.random()) : 0 };
    } catch {
      return this.refused > 2
        ? { kind: "stop", reason: "signed-out" }
        : { kind: "wait", ms: this.backoff.pause(this.core.env.random()) };
    }
  }

  async ready(ready: Ready, resumed: boolean): Promise<void> {
    const { core } = this;
    this.sessionId = ready.sessionId;
    this.refused = 0;
    this.heard = new Set();
    this.wondered = new Set();
    this.unnamed = new Set();
    const { signal } = this.life;
    void this.heartbeats(Math.max(500, millisOf(ready.heartbeatInterval) || 30_000), signal);
    void this.tokens(timeOf(ready.tokenExpiresAt), signal);
    if (!resumed) {
      const asOf = (await core.store.checkpoint())?.asOf;
      if (asOf !== undefined) await core.store.noteStale([...core.state().chats.keys()], asOf);
      void this.relist(signal);
    }
    this.screen.start(ready.sessionId);
    this.outbox.start();
    this.receipts.start();
    this.link({ kind: "up", sessionId: ready.sessionId });
    // May be changed elsewhere unheard: no event tells it.
    void this.quietly(() => readPreferences(this.core));
    if (core.state().notices.size > 0) void this.quietly(() => readNotices(core));
  }

  caughtUp(): void {}

  /** After a gap. A stream on which this does not succeed is of no use: another begins with the same old token. */
  private async relist(signal: AbortSignal): Promise<void> {
    const stream = this.stream;
    try {
      await readInbox(this.core, this.heard, signal);
      void readNames(this.core, [...this.core.state().chats.values()].map(({ last }) => last?.senderId ?? ""));
      if (signal.aborted) return;
      await stream?.release();
      this.receipts.start();
      await readUnread(this.core, signal);
    } catch {
      if (stream?.held) stream.end();
    }
  }

  took(inputs: readonly Input[]): void {
    const chats = new Set<string>();
    for (const input of inputs) {
      const chatId = chatOf(input);
      if (chatId) chats.add(chatId);
      if (input.type === "notices" && input.notices.length + input.read.length === 0) {
        // Several were read, and it is not said which.
        if (this.core.state().notices.size > 0) void this.quietly(() => readNotices(this.core));
      }
      if (input.type === "deleted") this.afterDeletion(input.chatId, input.seq, input.senderId);
    }
    for (const chatId of chats) {
      this.heard.add(chatId);
      this.look(chatId);
    }
  }

  /** Something has changed on disk, by this tab or another. */
  changed(chatIds: Iterable<string>): void {
    for (const chatId of chatIds) this.receipts.soon(chatId);
    this.outbox.pump();
  }

  /** Asks for what lacks of a chat that was heard of. */
  private look(chatId: string): void {
    this.receipts.soon(chatId);
    const chat = this.core.state().chats.get(chatId);
    if (!chat) return;
    if (chat.revision < 0 && chat.removedAt < 0) return this.read(chatId, () => readChat(this.core, chatId));
    // Heard of by an event alone: what is the user's own is asked for.
    if (chat.revision > chat.removedAt && chat.count.lastSeq < 0) {
      return this.read(chatId, () => readChat(this.core, chatId));
    }
    const writer = chat.last?.senderId ?? "";
    if (!this.core.state().users.has(writer) && !this.unnamed.has(writer)) {
      this.unnamed.add(writer);
      void readNames(this.core, [writer]);
    }
    const other = peer(this.core.state(), chat)?.userId;
    if (other && chat.last?.senderId === other && !this.core.state().presence.has(other) && !this.wondered.has(other)) {
      // Whoever writes for the first time is to be seen from then on, and is told of only when they come or go.
      this.wondered.add(other);
      return this.read(chatId, () => readChat(this.core, chatId));
    }
    const lacks = hole(chat.held);
    if (lacks) this.read(chatId, () => readRange(this.core, chatId, lacks[0], lacks[1]));
  }

  /** Who had it unread has one less; a count from before it is taken anew. */
  private afterDeletion(chatId: string, seq: number, senderId: string): void {
    const state = this.core.state();
    const chat = state.chats.get(chatId);
    if (senderId === state.me || !chat || seq > chat.count.lastSeq) return;
    if (has(state.sets.get(chatId)?.get(state.me)?.read ?? [], seq)) return;
    this.read(chatId, () => readChat(this.core, chatId));
  }

  private read(chatId: string, how: () => Promise<void>): void {
    if (this.reading.has(chatId)) {
      this.reading.set(chatId, true);
      return;
    }
    this.reading.set(chatId, false);
    void this.quietly(how).then(() => {
      const again = this.reading.get(chatId);
      this.reading.delete(chatId);
      if (again) this.look(chatId);
    });
  }

  private async quietly(how: () => Promise<unknown>): Promise<void> {
    try {
      await how();
    } catch {
      // Whatever still lacks is seen again with the next event, or when it is scrolled to.
    }
  }

  private async heartbeats(every: number, signal: AbortSignal): Promise<void> {
    for (;;) {
      await pause(every, signal);
      if (signal.aborted) return;
      await this.beat();
    }
  }

  /** A sign of life, and whether the user looks. */
  private async beat(): Promise<void> {
    const { sessionId, stream } = this;
    if (!sessionId) return;
    const { background } = this.screen;
    const { calls } = this.core;
    try {
      await calls.call((options) => calls.chat.heartbeat({ sessionId, background }, options), 1);
    } catch (cause) {
      // The stream is gone though it may not look so from here. Of anything else silence decides.
      if (toAddaError(cause).reason === "SESSION_NOT_FOUND") stream?.end();
    }
  }

  /** Asks for a token before the stream's runs out, and gives it to the stream. */
  private async tokens(expiresAt: number, signal: AbortSignal): Promise<void> {
    let ends = expiresAt;
    while (ends > 0) {
      const left = ends - serverNow(this.core);
      await pause(Math.max(1_000, left - REFRESH_BEFORE, left / 2), signal);
      if (signal.aborted) return;
      try {
        await this.core.calls.tokens.get(true);
        const { chat } = this.core.calls;
        const request = { sessionId: this.sessionId, background: this.screen.background };
        const told = await this.core.calls.call((options) => chat.heartbeat(request, options));
        ends = timeOf(told.tokenExpiresAt);
      } catch {
        await pause(TOKEN_AGAIN, signal);
      }
    }
  }
}

const FOREVER = 2 ** 31 - 1;

type Next =
  | { readonly kind: "wait"; readonly ms: number }
  | { readonly kind: "stop"; readonly reason: Extract<Link, { kind: "stopped" }>["reason"] };

function stopped(reason: CloseReason): Extract<Link, { kind: "stopped" }>["reason"] {
  if (reason === CloseReason.SUPERSEDED) return "superseded";
  if (reason === CloseReason.SESSION_REVOKED) return "signed-out";
  return reason === CloseReason.CLIENT_TOO_OLD ? "too-old" : "refused";
}

/** The chat an input is about. */
export function chatOf(input: Input): string | null {
  switch (input.type) {
    case "message":
      return input.message.chatId;
    case "sets":
      return input.sets.chatId;
    case "chat":
      return input.chat.chatId;
    case "deleted":
    case "reactions":
    case "hidden":
    case "count":
    case "settings":
      return input.chatId;
    default:
      return null;
  }
}
