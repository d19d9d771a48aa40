/**
 * What this tab shows: the state in memory, kept true to what is on disk. Changes are told once a frame, however many
 * there are. A commit of another tab that was not heard is noticed by its number, and everything is read again.
 */

import type { Message } from "./model.js";
import { apply, TYPING_HOLDS, type Input } from "./reduce.js";
import { emptyState, loaded, messageAt, type State } from "./state.js";
import type { Committed, Store } from "./store/store.js";

/** How long a commit may come after one with a higher number. */
const OUT_OF_ORDER = 300;
/** Without a screen that draws: about as often. */
const FRAME = 16;

export class Picture {
  state: State;
  private readonly listeners = new Set<() => void>();
  private readonly arrivals = new Set<(message: Message) => void>();
  private drawing = false;
  /** All commits up to here are in the picture. */
  private base = 0;
  private readonly beyond = new Set<number>();
  private missing: ReturnType<typeof setTimeout> | undefined;
  private lapse: ReturnType<typeof setTimeout> | undefined;
  /** Chats whose messages are in memory, the one shown last at the end. */
  private readonly open = new Set<string>();
  private closed = false;

  constructor(me: string, private readonly store: Store, private readonly now: () => number) {
    this.state = emptyState(me);
  }

  onChange(listener: () => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  /** Told of each message that has just been sent, by whomever, once. */
  onMessage(listener: (message: Message) => void): () => void {
    this.arrivals.add(listener);
    return () => this.arrivals.delete(listener);
  }

  /** Reads everything: at the start, and when something was missed. */
  async reload(): Promise<void> {
    const { n, rows } = await this.store.all();
    if (this.closed) return;
    // What is gone from the disk is told by nobody.
    const chats = new Set(rows.flatMap((row) => (row.type === "chat" ? [row.chat.chatId] : [])));
    const waits = new Set(rows.flatMap((row) => (row.type === "pending" ? [row.row.clientMessageId] : [])));
    const gone: Input[] = [
      ...[...this.state.chats.keys()].filter((id) => !chats.has(id))
        .map((chatId) => ({ type: "forget", chatId }) as const),
      ...[...this.state.outbox.keys()].filter((id) => !waits.has(id))
        .map((clientMessageId) => ({ type: "settled", clientMessageId }) as const),
    ];
    this.take([...gone, ...rows]);
    this.base = Math.max(this.base, n);
    for (const seen of this.beyond) if (seen <= this.base) this.beyond.delete(seen);
    await Promise.all([...this.open].map(async (chatId) => {
      const range = loaded(this.state, chatId);
      if (range) this.take(asInputs(await this.store.messages(chatId, range[0], range[1])));
    }));
  }

  /** Takes in a commit, of this tab or another. `live` names what has just been sent, by chat and seq. */
  commit({ n, rows }: Committed, live: readonly string[]): void {
    const sent = new Set(live);
    const arrived: Message[] = [];
    const inputs: Input[] = [];
    for (const row of rows) {
      if (row.type !== "message") {
        inputs.push(row);
        continue;
      }
      const { message } = row;
      const isLive = sent.has(`${message.chatId} ${message.seq}`);
      if (isLive) arrived.push(message);
      if (this.open.has(message.chatId)) inputs.push({ ...row, live: isLive });
      else if (isLive) {
        const { chatId, senderId } = message;
        inputs.push({ type: "typing", chatId, userId: senderId, typing: false, now: this.now() });
      }
    }
    this.take(inputs);
    this.count(n);
    for (const message of arrived) for (const listener of this.arrivals) listener(message);
  }

  private count(n: number): void {
    this.beyond.add(n);
    while (this.beyond.delete(this.base + 1)) this.base++;
    if (n <= this.base) this.beyond.delete(n);
    clearTimeout(this.missing);
    if (this.beyond.size > 0) this.missing = setTimeout(() => void this.reload().catch(() => {}), OUT_OF_ORDER);
  }

  /** Applies inputs to what is shown. */
  take(inputs: readonly Input[]): void {
    if (inputs.length === 0 || this.closed) return;
    const { state } = apply(this.state, inputs);
    this.state = state;
    if (inputs.some((input) => input.type === "typing" && input.typing)) this.lapseLater();
    this.draw();
  }

  private lapseLater(): void {
    clearTimeout(this.lapse);
    this.lapse = setTimeout(() => {
      this.take([{ type: "lapse", now: this.now() }]);
      if (this.state.typing.size > 0) this.lapseLater();
    }, TYPING_HOLDS / 4);
  }

  private draw(): void {
    if (this.drawing) return;
    this.drawing = true;
    const tell = (): void => {
      if (!this.drawing) return;
      this.drawing = false;
      clearTimeout(late);
      for (const listener of this.listeners) listener();
    };
    const seen = typeof document !== "undefined" && document.visibilityState === "visible";
    if (seen) requestAnimationFrame(tell);
    // A tab that is hidden meanwhile draws no frame, but has a title.
    const late = setTimeout(tell, seen ? LATE : FRAME);
  }

  /** Messages that are on disk come into memory; the chat's later ones do from now on. */
  async load(chatId: string, first: number, last: number): Promise<void> {
    this.touch(chatId);
    if (this.isLoaded(chatId, first, last)) return;
    const messages = await this.store.messages(chatId, first, last);
    if (!this.open.has(chatId)) return;
    // Who scrolls through a long history leaves it behind. A message that is quoted is no view: what is looked at stays.
    const far = last - first >= VIEW && (this.state.messages.get(chatId)?.size ?? 0) > MOST_PAGES;
    const keep = [Math.max(0, first - KEEP), last + KEEP] as const;
    this.take([...asInputs(messages), ...(far ? [{ type: "evict", chatId, keep } as const] : [])]);
  }

  private isLoaded(chatId: string, first: number, last: number): boolean {
    for (let seq = first; seq <= last; seq++) {
      if ((messageAt(this.state, chatId, seq)?.revision ?? -1) < 0) return false;
    }
    return true;
  }

  /** A chat is shown: its messages are kept in memory. Of others only the latest few. */
  touch(chatId: string): void {
    this.open.delete(chatId);
    this.open.add(chatId);
    if (this.open.size <= OPEN) return;
    const [oldest] = this.open;
    this.open.delete(oldest!);
    this.take([{ type: "evict", chatId: oldest!, keep: null }]);
  }

  close(): void {
    this.closed = true;
    clearTimeout(this.missing);
    clearTimeout(this.lapse);
  }
}

/** How long a frame may be waited for. */
const LATE = 250;
/** Chats with messages in memory. */
const OPEN = 6;
/** So many messages at once are a view. */
const VIEW = 10;
/** Messages of one chat that stay in memory on either side of what is looked at. */
const KEEP = 600;
/** Pages of one chat in memory, before what is far is let go. */
const MOST_PAGES = 40;

function asInputs(messages: readonly Message[]): Input[] {
  return messages.map((message) => ({ type: "message", message }));
}
