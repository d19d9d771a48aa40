import { Code, ConnectError } from "@connectrpc/connect";

/** Time, chance and ids come in from outside, so that tests own them. */
export interface Env {
  /** Milliseconds since 1970. */
  now(): number;
  /** From 0 to 1. */
  random(): number;
  uuid(): string;
}

export const REAL: Env = {
  now: () => Date.now(),
  random: () => Math.random(),
  uuid,
};

/** Pages that are neither of https nor of this machine have no `randomUUID`. */
function uuid(): string {
  if (typeof crypto.randomUUID === "function") return crypto.randomUUID();
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** Waits, or less long where the signal says so. */
export function pause(ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal?.aborted) return resolve();
    const done = (): void => {
      clearTimeout(timer);
      signal?.removeEventListener("abort", done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    signal?.addEventListener("abort", done);
  });
}

/**
 * Ends with the promise, or with the signal, of which what the promise waits for may not hear: Node can forget whom of
 * its fetches to tell of an abort (https://github.com/nodejs/undici/issues/3644).
 */
export function orAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const end = (): void => reject(signal.reason as Error);
    if (signal.aborted) end();
    signal.addEventListener("abort", end);
    void promise.then(resolve, reject).finally(() => signal.removeEventListener("abort", end));
  });
}

/** Ends with what is run or, when its time is over, with an error; the signal ends what hears of it. */
export async function inTime<T>(ms: number, run: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const late = new AbortController();
  const timer = setTimeout(() => late.abort(new ConnectError("no answer in time", Code.DeadlineExceeded)), ms);
  try {
    return await orAborted(run(late.signal), late.signal);
  } finally {
    clearTimeout(timer);
  }
}
