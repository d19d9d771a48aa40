/** Why a call failed, read from a Status: what to switch on is `reason`, never text. */

import { Code, ConnectError } from "@connectrpc/connect";

import { BadRequestSchema, ErrorInfoSchema, RequestInfoSchema, RetryInfoSchema } from "./gen/google/rpc/details_pb.js";
import type { Failure } from "./model.js";
import { millisOf } from "./translate.js";

/** A call that failed. */
export class AddaError extends Error implements Failure {
  override readonly name = "AddaError";
  readonly reason: string;
  readonly field: string;
  readonly metadata: Readonly<Record<string, string>>;
  readonly requestId: string;
  readonly retryAfter: number | null;

  constructor(failure: Failure, cause?: unknown) {
    super(failure.message, { cause });
    this.reason = failure.reason;
    this.field = failure.field;
    this.metadata = failure.metadata;
    this.requestId = failure.requestId;
    this.retryAfter = failure.retryAfter;
  }

  /** Plain, for what is kept on disk and told to other tabs. */
  get failure(): Failure {
    const { reason, message, field, metadata, requestId, retryAfter } = this;
    return { reason, message, field, metadata, requestId, retryAfter };
  }
}

/** Between calls that nobody answered, when no one says how long. */
const SOON = 1_000;

/** Reasons of what lies between the client and the server, which says none itself. */
function unanswered(code: Code): Failure | null {
  // No ErrorInfo: from something between client and server. Repeat, backing off.
  const message = Code[code];
  return { reason: "NETWORK", message, field: "", metadata: {}, requestId: "", retryAfter: SOON };
}

/** Any error of a call as an `AddaError`. */
export function toAddaError(cause: unknown): AddaError {
  if (cause instanceof AddaError) return cause;
  const error = ConnectError.from(cause);
  const info = error.findDetails(ErrorInfoSchema).find((detail) => detail.domain === "adda");
  if (!info) {
    // An older server that lacks the call says so without a reason.
    if (error.code === Code.Unimplemented) {
      return new AddaError({ reason: "UNIMPLEMENTED", message: error.rawMessage, field: "", metadata: {},
        requestId: "", retryAfter: null }, cause);
    }
    return new AddaError(unanswered(error.code)!, cause);
  }
  const retry = error.findDetails(RetryInfoSchema)[0];
  return new AddaError({
    reason: info.reason,
    message: error.rawMessage,
    field: error.findDetails(BadRequestSchema)[0]?.fieldViolations[0]?.field ?? "",
    metadata: { ...info.metadata },
    requestId: error.findDetails(RequestInfoSchema)[0]?.requestId ?? "",
    retryAfter: retry ? Math.max(1, millisOf(retry.retryDelay)) : null,
  }, cause);
}

/** Whether another token may help. */
export function wantsToken(error: AddaError): boolean {
  return ["TOKEN_MISSING", "TOKEN_INVALID", "TOKEN_EXPIRED", "TOKEN_REVOKED"].includes(error.reason);
}

/** Whether the server does not have this function: a page hides what needs it. */
export function isMissing(error: AddaError): boolean {
  return ["UNIMPLEMENTED", "UNKNOWN_COMMAND", "NOT_CONFIGURED"].includes(error.reason);
}
