/** What the tabs have on screen: which chats the session has joined, whether the user looks, who writes where. */

import type { Core } from "./core.js";

/** While the user writes this is said again. */
const TYPING_EVERY = 3_000;
/** Who writes nothing for so long has stopped. */
const TYPING_STOPS = 4_000;

interface Tab {
  readonly chats: readonly string[];
  readonly hidden: boolean;
}

export class Screen {
  private readonly tabs = new Map<string, Tab>();
  private joined = new Set<string>();
  private sessionId: string | null = null;
  private readonly typed = new Map<string, { at: number; stops: ReturnType<typeof setTimeout> }>();

  /**
   * `changed` is told when the user begins or ceases to look, `shown` of each chat that comes on screen, and of all that
   * are on a new stream.
   */
  constructor(
    private readonly core: Core,
    private readonly changed: () => void,
    private readonly shown: (chatId: string) => void,
  ) {}

  /** No tab is in sight. */
  get background(): boolean {
    return [...this.tabs.values()].every((tab) => tab.hidden);
  }

  start(sessionId: string): void {
    this.sessionId = sessionId;
    this.joined = new Set();
    this.settle();
  }

  stop(): void {
    this.sessionId = null;
    for (const { stops } of this.typed.values()) clearTimeout(stops);
    this.typed.clear();
  }

  set(tab: string, chats: readonly string[], hidden: boolean): void {
    this.change(() => this.tabs.set(tab, { chats, hidden }));
  }

  /** A tab has gone. */
  drop(tab: string): void {
    this.change(() => this.tabs.delete(tab));
  }

  get known(): readonly string[] {
    return [...this.tabs.keys()];
  }

  private change(how: () => void): void {
    const before = this.background;
    how();
    this.settle();
    if (this.background !== before) this.changed();
  }

  private settle(): void {
    const { sessionId } = this;
    if (sessionId === null) return;
    const wanted = new Set([...this.tabs.values()].flatMap((tab) => (tab.hidden ? [] : tab.chats)));
    const { chat } = this.core.calls;
    for (const chatId of wanted) {
      if (this.joined.has(chatId)) continue;
      this.joined.add(chatId);
      this.shown(chatId);
      void this.core.calls.call((options) => chat.joinChat({ chatId, sessionId }, options))
        .catch(() => this.joined.delete(chatId));
    }
    for (const chatId of this.joined) {
      if (wanted.has(chatId)) continue;
      this.joined.delete(chatId);
      this.core.calls.call((options) => chat.leaveChat({ chatId, sessionId }, options), 1).catch(() => {});
    }
  }

  /** The user writes, or has stopped: said at once, again every few seconds, and taken back when nothing more comes. */
  typing(chatId: string, typing: boolean): void {
    if (this.sessionId === null) return;
    const held = this.typed.get(chatId);
    if (held) clearTimeout(held.stops);
    if (!typing) {
      if (held) this.say(chatId, false);
      this.typed.delete(chatId);
      return;
    }
    const now = this.core.env.now();
    const fresh = held !== undefined && now - held.at < TYPING_EVERY;
    if (!fresh) this.say(chatId, true);
    this.typed.set(chatId, {
      at: fresh ? held.at : now,
      stops: setTimeout(() => this.typing(chatId, false), TYPING_STOPS),
    });
  }

  /** A message ends the writing by itself: nothing is said. */
  sent(chatId: string): void {
    const held = this.typed.get(chatId);
    if (held) clearTimeout(held.stops);
    this.typed.delete(chatId);
  }

  private say(chatId: string, typing: boolean): void {
    const { chat } = this.core.calls;
    const sessionId = this.sessionId ?? "";
    // Of the moment: one that fails is let go.
    this.core.calls.call((options) => chat.setTyping({ chatId, typing, sessionId }, options), 1).catch(() => {});
  }
}
