/**
 * adda for browsers and Node, without a framework.
 *
 * `Adda.open` gives one user on one device; `select` works out what to show from its `state`; the types say what there
 * is. How it keeps its promises: `store/` is what is on disk, `reduce` the one way it changes, `session/` the stream.
 */

export { Adda, VERSION, type Draft, type Options, type Shown } from "./adda.js";
export type { TokenSource, TransportMaker } from "./calls.js";
export { AddaError, isMissing } from "./errors.js";
export { isMember } from "./join.js";
export * from "./model.js";
export { rings, type Ring } from "./rings.js";
export { reduce, type Input } from "./reduce.js";
export { type Run, type Runs } from "./runs.js";
export * as select from "./select.js";
export { emptyState, messageAt, type State } from "./state.js";
export { IndexedDbStore } from "./store/indexeddb.js";
export { MemoryStore } from "./store/memory.js";
export type { Page, Privacy } from "./verbs.js";
export type { Checkpoint, Committed, Store } from "./store/store.js";
