/** A store that forgets with the process: for Node, for tests, and where a browser has none. */

import type { Message } from "../model.js";
import { apply, type Input } from "../reduce.js";
import { emptyState, messageAt, type State } from "../state.js";
import { changeOf, inputsOf, told, type Checkpoint, type Committed, type Store } from "./store.js";

export class MemoryStore implements Store {
  private state: State;
  private n = 0;
  private kept: Checkpoint | null = null;
  private streams = 0;
  private name: string | null = null;
  private notes = new Map<string, number>();

  constructor(me: string) {
    this.state = emptyState(me);
  }

  commit(inputs: readonly Input[], checkpoint?: Checkpoint): Promise<Committed> {
    const { state, touched } = apply(this.state, inputs);
    this.state = { ...state, settled: new Set() };
    if (checkpoint) this.kept = checkpoint;
    return Promise.resolve({ n: ++this.n, rows: told(changeOf(state, touched)) });
  }

  all(): Promise<Committed> {
    const { chats, sets, users, blocks, outbox } = this.state;
    const rows = inputsOf({
      chats: [...chats.values()],
      sets: [...sets.values()].flatMap((byUser) => [...byUser.values()]),
      users: [...users.values()],
      blocks: [...blocks.values()],
      outbox: [...outbox.values()],
      messages: [],
    });
    return Promise.resolve({ n: this.n, rows });
  }

  messages(chatId: string, first: number, last: number): Promise<readonly Message[]> {
    const found: Message[] = [];
    for (let seq = first; seq <= last; seq++) {
      const message = messageAt(this.state, chatId, seq);
      if (message) found.push(message);
    }
    return Promise.resolve(found);
  }

  checkpoint(): Promise<Checkpoint | null> {
    return Promise.resolve(this.kept);
  }

  device(fresh: string): Promise<string> {
    this.name ??= fresh;
    return Promise.resolve(this.name);
  }

  generation(): Promise<number> {
    return Promise.resolve(++this.streams);
  }

  stale(): Promise<ReadonlyMap<string, number>> {
    return Promise.resolve(new Map(this.notes));
  }

  noteStale(chatIds: readonly string[], since: number): Promise<void> {
    for (const id of chatIds) this.notes.set(id, Math.min(since, this.notes.get(id) ?? since));
    return Promise.resolve();
  }

  dropStale(chatId: string): Promise<void> {
    this.notes.delete(chatId);
    return Promise.resolve();
  }

  destroy(): Promise<void> {
    this.state = emptyState(this.state.me);
    this.kept = null;
    this.notes.clear();
    return Promise.resolve();
  }

  close(): void {}
}
