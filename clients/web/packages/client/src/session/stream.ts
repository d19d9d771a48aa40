/**
 * One Subscribe, from Hello to its end: frames are taken in as they come, as many as are there in one transaction, and
 * a checkpoint in the transaction of what it covers.
 */

import { ConnectError } from "@connectrpc/connect";

import { orAborted } from "../env.js";
import { toAddaError, type AddaError } from "../errors.js";
import { CloseReason, ResumeOutcome, type Close, type Ready, type ServerFrame } from "../gen/adda/v1/stream_pb.js";
import type { Input } from "../reduce.js";
import type { Checkpoint } from "../store/store.js";
import { eventInputs, limitsOf, millisOf, timeOf } from "../translate.js";
import type { Core } from "./core.js";

/** Frames that wait to be taken in; beyond that no more are read. */
const WAITING = 2_000;
/** Silence that ends a stream, until Ready says otherwise. */
const PATIENCE = 30_000;

/** How a stream ended. */
export type Ending =
  | { readonly kind: "close"; readonly close: Close; readonly caughtUp: boolean; readonly lived: number }
  /** Without Close: cut, or not let in. */
  | { readonly kind: "cut"; readonly error: AddaError; readonly caughtUp: boolean; readonly lived: number };

/** What a stream tells its session. */
export interface Listener {
  /** `resumed` false: nothing was replayed, what is held may be stale. */
  ready(ready: Ready, resumed: boolean): Promise<void>;
  /** Inputs have been taken in. */
  took(inputs: readonly Input[]): void;
  caughtUp(): void;
}

export interface Hello {
  readonly instance: string;
  readonly background: boolean;
  readonly client: string;
}

/** One stream. Checkpoints are held back while `held` says so. */
export class Stream {
  /** While set, checkpoints are not kept: what they cover is not all taken in. */
  held = false;
  private waiting: ServerFrame[] = [];
  private taking: Promise<void> | null = null;
  private failed = false;
  private late: Checkpoint | undefined;
  private caughtUp = false;
  private close: Close | null = null;
  private readonly abort = new AbortController();
  private silence: ReturnType<typeof setTimeout> | undefined;
  private timeout = PATIENCE;

  constructor(private readonly core: Core, private readonly listener: Listener) {}

  /** Runs to the stream's end. */
  async run(hello: Hello, signal: AbortSignal): Promise<Ending> {
    const end = (): void => this.end();
    signal.addEventListener("abort", end);
    const begun = this.core.env.now();
    let error: unknown = null;
    try {
      await this.read(hello);
    } catch (cause) {
      error = cause;
      this.abort.abort();
    }
    clearTimeout(this.silence);
    signal.removeEventListener("abort", end);
    // What has come is kept, however the stream ended.
    await this.taking;
    const { caughtUp } = this;
    const lived = this.core.env.now() - begun;
    if (this.close) return { kind: "close", close: this.close, caughtUp, lived };
    const because = toAddaError(error ?? new ConnectError("the stream ended without Close"));
    return { kind: "cut", error: because, caughtUp, lived };
  }

  /** Ends it from here. */
  end(): void {
    this.abort.abort();
  }

  /** The checkpoint that was held back, once all is taken in that it covers. */
  async release(): Promise<void> {
    this.held = false;
    const { late } = this;
    this.late = undefined;
    if (late) await this.core.commit([], late);
  }

  private async read({ instance, background, client }: Hello): Promise<void> {
    const { core } = this;
    const [checkpoint, generation] = await Promise.all([core.store.checkpoint(), core.store.generation()]);
    const hello = {
      deviceId: core.device,
      resumeToken: checkpoint?.token ?? new Uint8Array(),
      background, generation, instanceId: instance, client,
    };
    this.listen();
    const { signal } = this.abort;
    const frames = core.calls.chat.subscribe({ hello }, { signal })[Symbol.asyncIterator]();
    try {
      for (;;) {
        const { done, value } = await orAborted(frames.next(), signal);
        if (done) break;
        const { frame } = value;
        this.listen();
        if (!frame) continue;
        this.waiting.push(frame);
        this.taking ??= this.take().finally(() => (this.taking = null));
        if (this.waiting.length > WAITING) await this.taking;
        if (frame.frame.case === "close") break;
      }
    } finally {
      // Nobody waits for it: it may never come.
      void frames.return?.().catch(() => {});
    }
    await this.taking;
  }

  /** Something came: the stream lives. */
  private listen(): void {
    clearTimeout(this.silence);
    this.silence = setTimeout(() => this.end(), this.timeout);
  }

  private async take(): Promise<void> {
    while (this.waiting.length > 0 && !this.failed) {
      const frames = this.waiting;
      this.waiting = [];
      try {
        await this.batch(frames);
      } catch {
        // What could not be kept comes again: no later token is kept, and the next stream begins before it.
        this.failed = true;
        this.end();
      }
    }
  }

  private async batch(frames: readonly ServerFrame[]): Promise<void> {
    const { core } = this;
    const inputs: Input[] = [];
    let checkpoint: Checkpoint | undefined;
    let caughtUp = false;
    for (const { frame } of frames) {
      switch (frame.case) {
        case "ready":
          await this.ready(frame.value);
          break;
        case "event":
          inputs.push(...eventInputs(frame.value, core.state().me, core.env.now()));
          break;
        case "checkpoint":
          checkpoint = { token: frame.value.resumeToken, asOf: timeOf(frame.value.asOf) };
          break;
        case "caughtUp":
          caughtUp = true;
          break;
        case "close":
          this.close = frame.value;
          break;
      }
    }
    if (checkpoint && this.held) {
      this.late = checkpoint;
      checkpoint = undefined;
    }
    if (inputs.length > 0 || checkpoint) await core.commit(inputs, checkpoint);
    if (inputs.length > 0) this.listener.took(inputs);
    if (caughtUp && !this.caughtUp) {
      this.caughtUp = true;
      this.listener.caughtUp();
    }
  }

  private async ready(ready: Ready): Promise<void> {
    this.timeout = Math.max(1_000, millisOf(ready.heartbeatTimeout) || PATIENCE);
    this.listen();
    const { core } = this;
    const skew = ready.serverTime ? timeOf(ready.serverTime) - core.env.now() : 0;
    const resumed = ready.resumeOutcome === ResumeOutcome.RESUMED;
    this.held = !resumed;
    core.moment([{ type: "fresh" }, { type: "limits", limits: limitsOf(ready.limits), skew },
      { type: "notices", notices: [], read: [], unread: ready.unreadNotifications }]);
    await this.listener.ready(ready, resumed);
  }
}

/** What the hundreds of a reason say. */
export function closeClass(reason: CloseReason): number {
  return Math.floor(reason / 100);
}
