/**
 * The outbox goes out: files first, then the message, one unanswered send a chat at a time, so that the order of
 * writing is the order of the chat even where one fails. A row leaves when the server has it; `duplicate` is success.
 */

import { Backoff, about } from "../backoff.js";
import { toAddaError, type AddaError } from "../errors.js";
import { blankMessage } from "../join.js";
import { SENT, type Message, type Pending, type PendingFile } from "../model.js";
import { pendingIn } from "../select.js";
import { timeOf } from "../translate.js";
import type { Core } from "./core.js";
import { upload } from "./upload.js";

export class Outbox {
  /** Chats with a send under way. */
  private readonly busy = new Set<string>();
  /** Chats that wait before the next try. */
  private readonly waiting = new Map<string, ReturnType<typeof setTimeout>>();
  private readonly backoffs = new Map<string, Backoff>();
  private up = false;

  constructor(private readonly core: Core) {}

  /** A stream is open: what waited need not wait longer. */
  start(): void {
    this.stop();
    this.up = true;
    this.pump();
  }

  stop(): void {
    this.up = false;
    for (const timer of this.waiting.values()) clearTimeout(timer);
    this.waiting.clear();
  }

  /** Gives the first row of each chat on its way, unless one of that chat is. */
  pump(): void {
    if (!this.up) return;
    const chats = new Set([...this.core.state().outbox.values()].map((row) => row.chatId));
    for (const chatId of chats) void this.next(chatId);
  }

  private async next(chatId: string): Promise<void> {
    if (!this.up || this.busy.has(chatId) || this.waiting.has(chatId)) return;
    const row = pendingIn(this.core.state(), chatId).find((each) => each.failed === null);
    if (!row) return;
    this.busy.add(chatId);
    const wait = await this.out(row);
    this.busy.delete(chatId);
    if (wait === null) {
      this.backoffs.delete(chatId);
      void this.next(chatId);
    } else if (this.up) {
      this.later(chatId, wait);
    }
  }

  private later(chatId: string, wait: number): void {
    const backoff = this.backoffs.get(chatId) ?? new Backoff();
    this.backoffs.set(chatId, backoff);
    const timer = setTimeout(() => {
      this.waiting.delete(chatId);
      void this.next(chatId);
    }, Math.max(wait, backoff.pause(this.core.env.random())));
    this.waiting.set(chatId, timer);
  }

  /** Answers how long to wait before this row is tried again; `null`: it is done with. */
  private async out(row: Pending): Promise<number | null> {
    try {
      await this.send(await this.uploads(row));
      return null;
    } catch (cause) {
      const error = toAddaError(cause);
      if (error.retryAfter !== null) return about(error.retryAfter, this.core.env.random());
      await this.fail(row, error);
      return null;
    }
  }

  private async fail(row: Pending, error: AddaError): Promise<void> {
    const newest = this.core.state().outbox.get(row.clientMessageId) ?? row;
    const failed: Pending = { ...newest, version: newest.version + 1, failed: error.failure };
    await this.core.commit([{ type: "pending", row: failed }]).catch(() => {});
  }

  private async uploads(row: Pending): Promise<Pending> {
    let newest = row;
    const keep = async (at: number, file: PendingFile): Promise<void> => {
      const files = newest.files.map((each, i) => (i === at ? file : each));
      newest = { ...newest, files, version: newest.version + 1 };
      await this.core.commit([{ type: "pending", row: newest }]);
    };
    const total = row.files.reduce((sum, file) => sum + file.size, 0);
    for (let i = 0; i < row.files.length; i++) {
      const before = row.files.slice(0, i).reduce((sum, file) => sum + file.size, 0);
      await upload(this.core, newest.files[i]!, (file) => keep(i, file), (sent) => {
        const fraction = total > 0 ? (before + sent) / total : 1;
        this.core.moment([{ type: "progress", clientMessageId: row.clientMessageId, fraction }]);
      });
    }
    return newest;
  }

  private async send(row: Pending): Promise<void> {
    const { chatId, clientMessageId, text, replyToMessageId, mentions } = row;
    const attachmentIds = row.files.map((file) => file.attachmentId);
    const { chat } = this.core.calls;
    const message = { chatId, clientMessageId, text, replyToMessageId, mentions: [...mentions], attachmentIds };
    const { outcome } = await this.core.calls.call((options) => chat.sendMessage({ message }, options), 1);
    if (!outcome) return;
    const stored: Message = {
      ...blankMessage(chatId, outcome.seq),
      messageId: outcome.messageId,
      senderId: this.core.state().me,
      clientMessageId,
      createdAt: timeOf(outcome.createdAt),
      replyToMessageId,
      replyToSeq: row.replyToSeq,
      // As it was typed; whatever the server says of it is better.
      revision: -1,
      kind: row.files.length > 0 ? "mixed" : "text",
      text,
      mentions,
      state: SENT,
    };
    await this.core.commit([{ type: "message", message: stored }, { type: "settled", clientMessageId }]);
  }
}
