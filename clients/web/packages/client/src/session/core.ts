/** What the parts of a session share. */

import type { Calls } from "../calls.js";
import type { Env } from "../env.js";
import type { Input } from "../reduce.js";
import type { State } from "../state.js";
import type { Checkpoint, Store } from "../store/store.js";

export interface Core {
  readonly env: Env;
  readonly calls: Calls;
  readonly store: Store;
  readonly device: string;
  /** Where uploads go: the server's address, without a slash at its end. */
  readonly server: string;
  state(): State;
  /** Keeps inputs, shows them here, and tells them to the other tabs. */
  commit(inputs: readonly Input[], checkpoint?: Checkpoint): Promise<void>;
  /** What is of the moment: shown here and in the other tabs, kept nowhere. */
  moment(inputs: readonly Input[]): void;
}

/** The time by the server's clock. */
export function serverNow(core: Core): number {
  return core.env.now() + core.state().skew;
}
