/**
 * Sets of message numbers, kept as the fewest runs that cover them, ascending. What was received, what was read and
 * what is held are such sets. They only grow, and joining two is safe in any order and any number of times.
 */

/** First and last of an unbroken run, both in it. */
export type Run = readonly [first: number, last: number];

/** A set: ascending, and no two runs touch. */
export type Runs = readonly Run[];

/** The empty set. */
export const NONE: Runs = [];

/** Both sets in one. Answers `a` itself where it has all of `b`. */
export function union(a: Runs, b: Runs): Runs {
  if (b.length === 0 || covers(a, b)) return a;
  if (a.length === 0) return normal(b);
  // What comes is mostly the newest.
  if (b.length === 1 && b[0]![0] > top(a) + 1) return [...a, b[0]!];
  return normal([...a, ...b]);
}

/** A set from runs in any order that may overlap; what is no run is left out. */
export function normal(runs: Runs): Runs {
  const sorted = runs.filter(([first, last]) => first >= 1 && last >= first).sort((x, y) => x[0] - y[0]);
  const out: [number, number][] = [];
  for (const [first, last] of sorted) {
    const top = out[out.length - 1];
    if (top && first <= top[1] + 1) top[1] = Math.max(top[1], last);
    else out.push([first, last]);
  }
  return out;
}

/** What is in `a` and not in `b`. Answers `a` itself where that is all. */
export function less(a: Runs, b: Runs): Runs {
  if (a.length === 0 || b.length === 0) return a;
  const out: Run[] = [];
  let at = 0;
  for (const [first, last] of a) {
    let from = first;
    while (at < b.length && b[at]![1] < from) at++;
    for (let i = at; i < b.length && b[i]![0] <= last; i++) {
      const [gone, upTo] = b[i]!;
      if (gone > from) out.push([from, gone - 1]);
      from = Math.max(from, upTo + 1);
    }
    if (from <= last) out.push([from, last]);
  }
  return out.length === a.length && out.every(([first, last], i) => first === a[i]![0] && last === a[i]![1]) ? a : out;
}

/** The part of the set from `first` to `last`. */
export function within(set: Runs, first: number, last: number): Runs {
  const out: Run[] = [];
  for (const [a, b] of set) {
    if (b < first || a > last) continue;
    out.push([Math.max(a, first), Math.min(b, last)]);
  }
  return out;
}

/** Whether one number is in the set. */
export function has(set: Runs, seq: number): boolean {
  return find(set, seq) >= 0;
}

/** Which run a number is in, -1: none. */
function find(set: Runs, seq: number): number {
  let [low, high] = [0, set.length - 1];
  while (low <= high) {
    const mid = (low + high) >> 1;
    const [first, last] = set[mid]!;
    if (seq < first) high = mid - 1;
    else if (seq > last) low = mid + 1;
    else return mid;
  }
  return -1;
}

/** Whether all of `b` is in `a`. */
export function covers(a: Runs, b: Runs): boolean {
  return b.every(([first, last]) => {
    const run = a[find(a, first)];
    return run !== undefined && run[1] >= last;
  });
}

/** How many numbers the set has. */
export function size(set: Runs): number {
  return set.reduce((sum, [first, last]) => sum + last - first + 1, 0);
}

/** The highest number of the set, 0 if it has none. */
export function top(set: Runs): number {
  return set[set.length - 1]?.[1] ?? 0;
}

/** A set of single numbers. */
export function of(...seqs: number[]): Runs {
  return normal(seqs.map((seq) => [seq, seq] as const));
}
