/**
 * `Adda`: one user on one device, for a product's code. What is shown is `state`, told anew once a frame; what the
 * user does is a method. Everything that must survive a crash is on disk before a method answers.
 */

import { Calls, Tokens, type TokenSource, type TransportMaker } from "./calls.js";
import { momentOf, openStore, web } from "./defaults.js";
import { REAL, type Env } from "./env.js";
import { blankSets } from "./join.js";
import type { Message, Pending } from "./model.js";
import { Loader } from "./loader.js";
import { Picture } from "./picture.js";
import type { Input } from "./reduce.js";
import { less, within } from "./runs.js";
import { pendingIn } from "./select.js";
import { readChat, readRange } from "./session/mend.js";
import type { Core } from "./session/core.js";
import { Session, chatOf } from "./session/session.js";
import type { State } from "./state.js";
import type { Store } from "./store/store.js";
import { Alone, Browser, type Tabs, type Word } from "./tabs.js";
import { countOf } from "./translate.js";
import { Verbs } from "./verbs.js";

export const VERSION = "adda-web/0.1.0";

export interface Options {
  /** Where the server is, like `https://chat.example.com`. */
  readonly server: string;
  /** The user: `sub` of the tokens. */
  readonly user: string;
  /** Gives a token, and a newer one where `renew`. Throws: the user has to sign in again. */
  readonly token: TokenSource;
  /** What is kept, and where. A browser's database, and elsewhere memory. */
  readonly store?: Store;
  /** How calls travel. gRPC-Web. */
  readonly transport?: TransportMaker;
  /** Name and version of the product, for the server's logs. */
  readonly client?: string;
  readonly env?: Env;
  readonly tabs?: Tabs;
}

/** What a message may carry. */
export interface Draft {
  readonly text: string;
  /** The message this one answers. */
  readonly replyTo?: Message;
  /** Ids of members, each of whom the text names as `@id`. */
  readonly mentions?: readonly string[];
  readonly files?: readonly File[];
}

/** A chat on screen. */
export interface Shown {
  close(): void;
}

export class Adda extends Verbs {
  protected readonly core: Core;
  private readonly session: Session;
  private leads = false;
  private readonly screen = new Map<string, number>();
  private readonly loader: Loader;
  private readonly asked = new Map<string, number>();
  private newest = 0;
  private closing: (() => void)[] = [];

  private constructor(
    options: Options,
    private readonly env: Env,
    private readonly tabs: Tabs,
    private readonly store: Store,
    private readonly calls: Calls,
    private readonly picture: Picture,
    device: string,
  ) {
    super();
    this.core = {
      env, calls, store, device,
      server: options.server.replace(/\/+$/, ""),
      state: () => picture.state,
      commit: (inputs, checkpoint) => this.commit(inputs, checkpoint),
      moment: (inputs) => {
        picture.take(inputs);
        tabs.post({ kind: "moment", inputs });
      },
    };
    this.loader = new Loader(this.core);
    const instance = tabs.shared ? "" : tabs.id;
    this.session = new Session(this.core, instance, options.client ? `${options.client} ${VERSION}` : VERSION);
  }

  /** Opens what is kept, shows it, and begins to connect. */
  static async open(options: Options): Promise<Adda> {
    const env = options.env ?? REAL;
    const name = `adda ${options.server} ${options.user}`;
    const tabs = options.tabs ?? (Browser.works() ? new Browser(env.uuid(), name) : new Alone(env.uuid()));
    const store = options.store ?? (await openStore(name, options.user));
    const calls = new Calls(options.transport ?? web(options.server), new Tokens(options.token), env);
    const picture = new Picture(options.user, store, () => env.now());
    const adda = new Adda(options, env, tabs, store, calls, picture, await store.device(env.uuid()));
    tabs.listen((word) => adda.hear(word));
    await picture.reload();
    adda.begin();
    return adda;
  }

  /** What is known now. Another value after each change, sharing what stayed. */
  get state(): State {
    return this.picture.state;
  }

  /** Where the server is, without a slash at its end: for what it names by a path. */
  get server(): string {
    return this.core.server;
  }

  get me(): string {
    return this.state.me;
  }

  /** Told after changes, at most once a frame. Answers how to stop that. */
  onChange(listener: () => void): () => void {
    return this.picture.onChange(listener);
  }

  /** Told of each message that was just sent, own ones included. */
  onMessage(listener: (message: Message) => void): () => void {
    return this.picture.onMessage(listener);
  }

  // ---- what is on screen ----

  /** A chat comes on screen: its typing and presence are told, and what lacks of it is read. */
  show(chatId: string): Shown {
    this.screen.set(chatId, (this.screen.get(chatId) ?? 0) + 1);
    this.picture.touch(chatId);
    this.tellScreen();
    void this.refresh(chatId).catch(() => {});
    let open = true;
    return {
      close: () => {
        if (!open) return;
        open = false;
        const left = (this.screen.get(chatId) ?? 1) - 1;
        if (left > 0) this.screen.set(chatId, left);
        else this.screen.delete(chatId);
        this.tellScreen();
      },
    };
  }

  /** Reads a chat anew, at most once in a while. */
  private async refresh(chatId: string): Promise<void> {
    const now = this.env.now();
    if (now - (this.asked.get(chatId) ?? 0) < REFRESH_EVERY) return;
    this.asked.set(chatId, now);
    await readChat(this.core, chatId).catch((error: unknown) => {
      this.asked.delete(chatId);
      throw error;
    });
  }

  /**
   * Has messages from `first` to `last` in `state`: from the disk at once, then what lacks from the server. Answers
   * when all are there that exist.
   */
  async load(chatId: string, first: number, last: number): Promise<void> {
    const chat = this.state.chats.get(chatId);
    if (!chat) return;
    await this.picture.load(chatId, Math.max(first, chat.visibleFrom), Math.min(last, chat.lastSeq));
    const wanted = within([[first, last]], chat.visibleFrom, chat.lastSeq);
    await this.loader.fill(chatId, less(wanted, this.state.chats.get(chatId)?.held ?? []));
  }

  /** Reads one message anew: of an own one, who has received and read it. */
  async refreshMessage(chatId: string, seq: number): Promise<void> {
    await readRange(this.core, chatId, seq, seq);
  }

  /** The user has seen these messages: the badge falls at once, the server learns of it. */
  seen(chatId: string, first: number, last: number): void {
    const mine = this.state.sets.get(chatId)?.get(this.me);
    if (less([[first, last]], mine?.seen ?? []).length === 0) return;
    const sets = { ...blankSets(chatId, this.me), seen: [[first, last] as const] };
    this.picture.take([{ type: "sets", sets }]);
    void this.commit([{ type: "sets", sets }]).catch(() => {});
  }

  /** Marks a whole chat read, also what was not on screen. */
  async markRead(chatId: string): Promise<void> {
    const upToSeq = this.state.chats.get(chatId)?.lastSeq ?? 0;
    if (upToSeq === 0) return;
    this.seen(chatId, 1, upToSeq);
    const { outcome } = await this.calls.call((options) => this.calls.chat.markChatRead({ chatId, upToSeq }, options));
    const sets = { ...blankSets(chatId, this.me), read: [[1, upToSeq] as const] };
    const count: Input[] = outcome ? [{ type: "count", chatId, count: countOf(outcome) }] : [];
    await this.commit([{ type: "sets", sets }, ...count]);
  }

  /** The user writes; to be called at each stroke. `false`: has stopped. */
  typing(chatId: string, typing: boolean): void {
    if (this.leads) this.session.screen.typing(chatId, typing);
    else this.tabs.post({ kind: "typing", chatId, typing });
  }

  // ---- messages ----

  /** Writes a message. Once this answers it is on disk and goes out once, in the order of writing. */
  async send(chatId: string, draft: Draft): Promise<string> {
    this.newest = Math.max(this.env.now(), this.newest + 1);
    const row: Pending = {
      clientMessageId: this.env.uuid(),
      chatId,
      text: draft.text,
      replyToMessageId: draft.replyTo?.messageId ?? "",
      replyToSeq: draft.replyTo?.seq ?? 0,
      mentions: draft.mentions ?? [],
      files: (draft.files ?? []).map((file) => ({
        name: file.name || "file", type: file.type, size: file.size, blob: file, attachmentId: "", uploadUrl: "",
        partBytes: 0, sent: 0,
      })),
      createdAt: this.newest,
      version: 1,
      failed: null,
    };
    if (this.leads) this.session.screen.sent(chatId);
    // Shown only once it is on disk: what is seen to wait outlives a crash.
    await this.commit([{ type: "pending", row }]);
    return row.clientMessageId;
  }

  /** Tries a message again that had failed. */
  async retry(clientMessageId: string): Promise<void> {
    const row = this.state.outbox.get(clientMessageId);
    if (!row?.failed) return;
    // An upload that is over is begun anew.
    const again = row.failed.reason === "ATTACHMENT_NOT_FOUND";
    const files = again ? row.files.map((file) => ({ ...file, attachmentId: "", uploadUrl: "", sent: 0 })) : row.files;
    await this.commit([{ type: "pending", row: { ...row, files, version: row.version + 1, failed: null } }]);
  }

  /** Drops a message that waits or has failed. One that is under way may have been stored all the same. */
  async discard(clientMessageId: string): Promise<void> {
    await this.commit([{ type: "settled", clientMessageId }]);
  }

  // ---- the session ----

  /** Tries now what waits: the user asks for it, or the network is back. */
  wake(): void {
    if (this.leads) this.session.wake();
    else this.tabs.post({ kind: "wake" });
  }

  /** Leaves; what is kept stays, and so does what waits to be sent. */
  close(): void {
    this.tabs.post({ kind: "bye", tab: this.tabs.id });
    for (const end of this.closing) end();
    this.tabs.close();
    this.picture.close();
    this.store.close();
  }

  /** Signs out: forgets everything on this device, in all tabs. */
  async signOut(): Promise<void> {
    this.tabs.post({ kind: "over" });
    for (const end of this.closing) end();
    this.tabs.close();
    this.picture.close();
    await this.store.destroy();
  }

  /** Whether messages still wait to be sent to a chat. */
  waiting(chatId: string): number {
    return pendingIn(this.state, chatId).length;
  }

  private async commit(inputs: readonly Input[], checkpoint?: Parameters<Store["commit"]>[1]): Promise<void> {
    const committed = await this.store.commit(inputs, checkpoint);
    const live = inputs.flatMap((input) =>
      input.type === "message" && input.live ? [`${input.message.chatId} ${input.message.seq}`] : []);
    // Who writes, who is here and the list of notifications are kept nowhere. First, for a message ends the writing.
    const moment = inputs.filter(({ type }) => type === "typing" || type === "presence" || type === "notices");
    if (moment.length > 0) this.core.moment(moment);
    this.picture.commit(committed, live);
    this.tabs.post({ kind: "rows", ...committed, live });
    if (this.leads) this.changed(committed.rows);
  }

  private changed(rows: readonly Input[]): void {
    this.session.changed(new Set(rows.flatMap((row) => chatOf(row) ?? [])));
  }

  private hear(word: Word): void {
    switch (word.kind) {
      case "rows":
        this.picture.commit(word, word.live);
        if (this.leads) this.changed(word.rows);
        return;
      case "moment":
        // Only preferences may be changed in any tab; all else of the moment is told by the one that leads.
        this.picture.take(this.leads ? word.inputs.filter(({ type }) => type === "preferences") : word.inputs);
        return;
      case "screen":
        if (this.leads) this.session.screen.set(word.tab, word.chats, word.hidden);
        return;
      case "bye":
        return this.session.screen.drop(word.tab);
      case "typing":
        if (this.leads) this.session.screen.typing(word.chatId, word.typing);
        return;
      case "lead":
        this.tellScreen();
        // What the last one kept and did not live to tell is on disk.
        void this.picture.reload().catch(() => {});
        return;
      case "hello":
        if (this.leads) this.tabs.post({ kind: "moment", inputs: momentOf(this.state) });
        return;
      case "wake":
        if (this.leads) this.session.wake();
        return;
      case "over":
        this.picture.take([{ type: "link", link: { kind: "stopped", reason: "signed-out" } }]);
        return this.close();
    }
  }

  private tellScreen(): void {
    const chats = [...this.screen.keys()];
    const hidden = typeof document !== "undefined" && document.visibilityState === "hidden";
    this.session.screen.set(this.tabs.id, chats, hidden);
    this.tabs.post({ kind: "screen", tab: this.tabs.id, chats, hidden });
  }

  private begin(): void {
    this.tabs.post({ kind: "hello" });
    this.tellScreen();
    this.watch();
    this.tabs.lead(async (signal) => {
      await this.picture.reload();
      this.leads = true;
      this.tabs.post({ kind: "lead" });
      this.tellScreen();
      const sweep = setInterval(() => void this.sweep(), SWEEP_EVERY);
      await this.session.run(signal);
      clearInterval(sweep);
      this.leads = false;
    });
  }

  /** Tabs that crashed say no goodbye. */
  private async sweep(): Promise<void> {
    const alive = await this.tabs.alive();
    if (alive === null) return;
    for (const tab of this.session.screen.known) if (!alive.has(tab)) this.session.screen.drop(tab);
  }

  private watch(): void {
    if (typeof window === "undefined") return;
    const looked = (): void => this.tellScreen();
    const online = (): void => this.wake();
    const back = (event: PageTransitionEvent): void => {
      if (event.persisted) void this.picture.reload().catch(() => {});
    };
    document.addEventListener("visibilitychange", looked);
    window.addEventListener("online", online);
    window.addEventListener("pageshow", back);
    this.closing.push(() => {
      document.removeEventListener("visibilitychange", looked);
      window.removeEventListener("online", online);
      window.removeEventListener("pageshow", back);
    });
  }
}

/** A chat that is shown again and again is not read each time. */
const REFRESH_EVERY = 15_000;
/** How soon a tab that crashed is missed. */
const SWEEP_EVERY = 15_000;
