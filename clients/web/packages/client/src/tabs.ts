/**
 * The tabs of one browser profile: one leads and holds the stream, the others follow. A lock says who leads; it goes
 * over by itself when a tab goes, however it goes.
 */

import type { Input } from "./reduce.js";

/** What tabs say to each other. */
export type Word =
  /** A commit, of which `live` have just been sent. */
  | { readonly kind: "rows"; readonly n: number; readonly rows: readonly Input[]; readonly live: readonly string[] }
  /** Of the moment, from the tab that leads. */
  | { readonly kind: "moment"; readonly inputs: readonly Input[] }
  /** What a tab has on screen. */
  | { readonly kind: "screen"; readonly tab: string; readonly chats: readonly string[]; readonly hidden: boolean }
  | { readonly kind: "bye"; readonly tab: string }
  | { readonly kind: "typing"; readonly chatId: string; readonly typing: boolean }
  /** This tab leads from now on: say what is on your screen. */
  | { readonly kind: "lead" }
  /** This tab is new: say how it stands. */
  | { readonly kind: "hello" }
  /** The user wants it tried again now. */
  | { readonly kind: "wake" }
  /** The user has signed out. */
  | { readonly kind: "over" };

export interface Tabs {
  /** Names this tab. */
  readonly id: string;
  /** Others can be told. */
  readonly shared: boolean;
  post(word: Word): void;
  listen(hear: (word: Word) => void): void;
  /** Runs `how` once this tab leads, and until it ends or is closed. */
  lead(how: (signal: AbortSignal) => Promise<void>): void;
  /** Which tabs live, if that can be known. */
  alive(): Promise<ReadonlySet<string> | null>;
  close(): void;
}

/** One alone: Node, and browsers without locks. */
export class Alone implements Tabs {
  readonly shared = false;
  private readonly ends = new AbortController();

  constructor(readonly id: string) {}

  post(): void {}

  listen(): void {}

  lead(how: (signal: AbortSignal) => Promise<void>): void {
    void how(this.ends.signal);
  }

  alive(): Promise<null> {
    return Promise.resolve(null);
  }

  close(): void {
    this.ends.abort();
  }
}

/** All tabs of a browser profile that use one database. */
export class Browser implements Tabs {
  readonly shared = true;
  private readonly channel: BroadcastChannel;
  private readonly ends = new AbortController();

  constructor(readonly id: string, private readonly name: string) {
    this.channel = new BroadcastChannel(name);
    // Held for as long as the tab lives: how the others see that it does.
    this.hold(`${name}/tab/${id}`, () => new Promise(() => {}));
  }

  static works(): boolean {
    return typeof BroadcastChannel !== "undefined" && typeof navigator !== "undefined" && "locks" in navigator;
  }

  private hold(lock: string, how: (signal: AbortSignal) => Promise<void>): void {
    const { signal } = this.ends;
    const held = (): Promise<void> => Promise.race([
      how(signal),
      new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve())),
    ]);
    navigator.locks.request(lock, { signal }, held).catch(() => {});
  }

  post(word: Word): void {
    if (!this.ends.signal.aborted) this.channel.postMessage(word);
  }

  listen(hear: (word: Word) => void): void {
    this.channel.onmessage = ({ data }) => hear(data as Word);
  }

  lead(how: (signal: AbortSignal) => Promise<void>): void {
    this.hold(`${this.name}/lead`, how);
  }

  async alive(): Promise<ReadonlySet<string>> {
    const prefix = `${this.name}/tab/`;
    const { held = [] } = await navigator.locks.query();
    const names = held.flatMap(({ name }) => (name?.startsWith(prefix) ? [name.slice(prefix.length)] : []));
    return new Set(names);
  }

  close(): void {
    this.ends.abort();
    this.channel.close();
  }
}
