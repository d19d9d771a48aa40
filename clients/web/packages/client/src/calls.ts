/** The way to the server: a token on each call, one more try where the contract says that it helps. */

import { createClient, type CallOptions, type Client, type Interceptor, type Transport } from "@connectrpc/connect";

import { about } from "./backoff.js";
import { inTime, pause, type Env } from "./env.js";
import { toAddaError, wantsToken, type AddaError } from "./errors.js";
import { AttachmentService } from "./gen/adda/v1/attachment_service_pb.js";
import { ChatService } from "./gen/adda/v1/chat_service_pb.js";
import { NotificationService } from "./gen/adda/v1/notification_service_pb.js";
import { UserService } from "./gen/adda/v1/user_service_pb.js";

/** Gives a token of the user; `renew`: the last one has run out, or soon will. */
export type TokenSource = (why: { readonly renew: boolean }) => string | Promise<string>;

/** Makes a transport that puts these interceptors around each call. */
export type TransportMaker = (interceptors: Interceptor[]) => Transport;

/** What a call may take; a stream may take any time. */
const TIMEOUT = 15_000;
/** Tries of a call in all, where the server says that another helps. */
const TRIES = 3;
/** A pause longer than this is for the caller to wait, not for a call. */
const LONGEST_PAUSE = 5_000;

/** The newest token. Who asks while it is being renewed waits for the same. */
export class Tokens {
  private held: string | null = null;
  private asked: Promise<string> | null = null;

  constructor(private readonly source: TokenSource) {}

  get(renew = false): Promise<string> {
    if (this.held !== null && !renew) return Promise.resolve(this.held);
    this.asked ??= this.ask(renew).finally(() => (this.asked = null));
    return this.asked;
  }

  private async ask(renew: boolean): Promise<string> {
    this.held = await this.source({ renew });
    return this.held;
  }
}

export class Calls {
  readonly chat: Client<typeof ChatService>;
  readonly users: Client<typeof UserService>;
  readonly notices: Client<typeof NotificationService>;
  readonly files: Client<typeof AttachmentService>;

  constructor(make: TransportMaker, readonly tokens: Tokens, private readonly env: Env) {
    const signed: Interceptor = (next) => async (request) => {
      request.header.set("authorization", `Bearer ${await tokens.get()}`);
      return next(request);
    };
    const transport = make([signed]);
    this.chat = createClient(ChatService, transport);
    this.users = createClient(UserService, transport);
    this.notices = createClient(NotificationService, transport);
    this.files = createClient(AttachmentService, transport);
  }

  /**
   * Carries out a call that is safe to repeat. With a token that has run out it is repeated once with a new one; where
   * the server names a short pause, after it, `tries` times in all.
   *
   * Throws `AddaError`.
   */
  async call<T>(run: (options: CallOptions) => Promise<T>, tries = TRIES): Promise<T> {
    let renewed = false;
    for (let left = tries; ; left--) {
      try {
        // It ends by itself; the second bound is for what does not.
        return await inTime(TIMEOUT + 1_000, () => run({ timeoutMs: TIMEOUT }));
      } catch (cause) {
        const error = toAddaError(cause);
        if (wantsToken(error) && !renewed) {
          renewed = true;
          await this.renew(error);
          left++;
          continue;
        }
        const { retryAfter } = error;
        if (left <= 1 || retryAfter === null || retryAfter > LONGEST_PAUSE) throw error;
        await pause(Math.max(retryAfter, about(retryAfter, this.env.random())));
      }
    }
  }

  private async renew(because: AddaError): Promise<void> {
    try {
      await this.tokens.get(true);
    } catch {
      throw because;
    }
  }
}
