/**
 * What is on disk is acknowledged, and what was on screen is read: gathered for a moment, in runs, one unanswered call
 * a chat at a time. What is due is worked out from what is known, so that a crash forgets none.
 */

import { toAddaError } from "../errors.js";
import { blankSets } from "../join.js";
import { less, top, within, NONE, type Runs } from "../runs.js";
import { countOf } from "../translate.js";
import type { Core } from "./core.js";

/** How long acknowledgements are gathered. */
const GATHER = 250;
/** Runs in one call. */
const MAX_RUNS = 256;

export class Receipts {
  private readonly timers = new Map<string, ReturnType<typeof setTimeout>>();
  private readonly busy = new Set<string>();
  private up = false;

  constructor(private readonly core: Core) {}

  /** A stream is open: whatever is due goes out. */
  start(): void {
    this.up = true;
    for (const chatId of this.core.state().chats.keys()) this.soon(chatId);
  }

  stop(): void {
    this.up = false;
    for (const timer of this.timers.values()) clearTimeout(timer);
    this.timers.clear();
  }

  /** Something of a chat may be due. */
  soon(chatId: string, after = GATHER): void {
    if (!this.up || this.timers.has(chatId) || this.busy.has(chatId) || this.isDone(chatId)) return;
    this.timers.set(chatId, setTimeout(() => void this.flush(chatId), after));
  }

  private isDone(chatId: string): boolean {
    const { read, delivered } = this.due(chatId);
    return read.length === 0 && delivered.length === 0;
  }

  private due(chatId: string): { read: Runs; delivered: Runs } {
    const state = this.core.state();
    const chat = state.chats.get(chatId);
    const mine = state.sets.get(chatId)?.get(state.me);
    if (!chat) return { read: NONE, delivered: NONE };
    const visible = (runs: Runs): Runs => within(runs, chat.visibleFrom, chat.lastSeq);
    return {
      read: visible(less(mine?.seen ?? NONE, mine?.read ?? NONE)),
      delivered: visible(less(chat.held, mine?.delivered ?? NONE)),
    };
  }

  private async flush(chatId: string): Promise<void> {
    this.timers.delete(chatId);
    this.busy.add(chatId);
    let again: number | null = GATHER;
    try {
      const { read, delivered } = this.due(chatId);
      if (read.length > 0) await this.read(chatId, read.slice(0, MAX_RUNS));
      else if (delivered.length > 0) await this.delivered(chatId, delivered.slice(-MAX_RUNS));
      again = 0;
    } catch (cause) {
      // Without a pause repeating changes nothing: the next stream may try.
      again = toAddaError(cause).retryAfter;
    }
    this.busy.delete(chatId);
    if (again !== null) this.soon(chatId, again);
  }

  private async read(chatId: string, runs: Runs): Promise<void> {
    const { chat } = this.core.calls;
    const ack = { chatId, seqs: runs.map(([first, last]) => ({ first, last })) };
    const { outcome } = await this.core.calls.call((options) => chat.ackRead({ ack }, options), 1);
    const { me } = this.core.state();
    await this.core.commit([
      { type: "sets", sets: { ...blankSets(chatId, me), read: runs } },
      ...(outcome ? [{ type: "count", chatId, count: countOf(outcome) } as const] : []),
    ]);
  }

  private async delivered(chatId: string, runs: Runs): Promise<void> {
    const { chat } = this.core.calls;
    const deviceId = this.core.device;
    const send = (these: Runs): Promise<unknown> => {
      const ack = { chatId, seqs: these.map(([first, last]) => ({ first, last })) };
      return this.core.calls.call((options) => chat.ackDelivered({ ack, deviceId }, options), 1);
    };
    let told = runs;
    try {
      await send(told);
    } catch (cause) {
      if (toAddaError(cause).reason !== "TOO_MANY_RUNS") throw cause;
      // Longer ones, as the contract says: what lies between was given to another device, or will be read here.
      told = [[runs[0]![0], top(runs)]];
      await send(told);
    }
    const { me } = this.core.state();
    await this.core.commit([{ type: "sets", sets: { ...blankSets(chatId, me), delivered: told } }]);
  }
}
