/**
 * How long to wait before coming back after a cut: 1 s, doubled each time up to 60 s, drawn at random from the upper
 * half, begun anew once a stream has lived for 60 s.
 */

const FIRST = 1_000;
const LONGEST = 60_000;
const GOOD_AFTER = 60_000;

export class Backoff {
  private next = FIRST;

  /** The next pause. `chance` is drawn from 0 to 1. */
  pause(chance: number): number {
    const most = this.next;
    this.next = Math.min(most * 2, LONGEST);
    return most * (0.5 + chance / 2);
  }

  /** A stream has ended that lived this long. */
  lived(ms: number): void {
    if (ms >= GOOD_AFTER) this.reset();
  }

  reset(): void {
    this.next = FIRST;
  }
}

/** A pause that the server named, give or take a half. */
export function about(ms: number, chance: number): number {
  return ms * (0.5 + chance);
}
