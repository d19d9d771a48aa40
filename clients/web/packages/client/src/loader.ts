/** Reads history that a tab wants to show and that is not on disk: each message once, in whole pages. */

import { less, normal, within, NONE, type Run, type Runs } from "./runs.js";
import { readRange, PAGE } from "./session/mend.js";
import type { Core } from "./session/core.js";

interface Reading {
  readonly run: Run;
  readonly done: Promise<void>;
}

export class Loader {
  private readonly under = new Map<string, Set<Reading>>();
  /** What was asked for and is not there: it does not exist for this user. */
  private readonly absent = new Map<string, Runs>();

  constructor(private readonly core: Core) {}

  /** Answers when these messages of a chat are held, or known not to be there. */
  async fill(chatId: string, lacks: Runs): Promise<void> {
    const wanted = less(lacks, this.absent.get(chatId) ?? NONE);
    const readings = this.under.get(chatId) ?? new Set();
    this.under.set(chatId, readings);
    const waits = [...readings].filter(({ run }) => within(wanted, run[0], run[1]).length > 0);
    for (const lack of less(wanted, normal([...readings].map(({ run }) => run)))) {
      const run = this.page(chatId, lack);
      const reading: Reading = { run, done: this.read(chatId, run).finally(() => readings.delete(reading)) };
      readings.add(reading);
      waits.push(reading);
    }
    await Promise.all(waits.map(({ done }) => done));
  }

  /** Who lacks one message will soon lack its neighbours. */
  private page(chatId: string, [first, last]: Run): Run {
    const chat = this.core.state().chats.get(chatId);
    if (!chat || last - first + 1 >= PAGE) return [first, last];
    const around = less([[chat.visibleFrom, chat.lastSeq]], chat.held).find(([a, b]) => a <= first && b >= last);
    if (!around) return [first, last];
    const from = Math.max(around[0], last - PAGE + 1);
    return [from, Math.min(around[1], from + PAGE - 1)];
  }

  private async read(chatId: string, [first, last]: Run): Promise<void> {
    await readRange(this.core, chatId, first, last);
    const left = less([[first, last]], this.core.state().chats.get(chatId)?.held ?? NONE);
    if (left.length > 0) this.absent.set(chatId, normal([...(this.absent.get(chatId) ?? NONE), ...left]));
  }
}
