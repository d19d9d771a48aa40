import fc from "fast-check";
import { expect, test } from "vitest";

import { covers, has, less, normal, size, union, within, type Runs } from "../src/runs.js";

const TOP = 40;
const runs = fc.array(fc.tuple(fc.integer({ min: 0, max: TOP }), fc.integer({ min: 0, max: TOP })), { maxLength: 8 })
  .map((pairs) => normal(pairs));

function numbers(set: Runs): Set<number> {
  const out = new Set<number>();
  for (let seq = 0; seq <= TOP + 1; seq++) if (has(set, seq)) out.add(seq);
  return out;
}

const sorted = (set: Iterable<number>): number[] => [...set].sort((a, b) => a - b);

test("sets of runs are sets of numbers", () => {
  fc.assert(fc.property(runs, runs, (a, b) => {
    const [x, y] = [numbers(a), numbers(b)];
    expect(sorted(numbers(union(a, b)))).toEqual(sorted(new Set([...x, ...y])));
    expect(sorted(numbers(less(a, b)))).toEqual(sorted([...x].filter((seq) => !y.has(seq))));
    expect(size(a)).toBe(x.size);
    expect(covers(a, b)).toBe([...y].every((seq) => x.has(seq)));
    expect(sorted(numbers(within(a, 5, 9)))).toEqual(sorted([...x].filter((seq) => seq >= 5 && seq <= 9)));
  }));
});

test("a set is ascending, its runs do not touch, and a union that brings nothing is the same set", () => {
  fc.assert(fc.property(runs, runs, (a, b) => {
    const both = union(a, b);
    for (let i = 1; i < both.length; i++) expect(both[i]![0]).toBeGreaterThan(both[i - 1]![1] + 1);
    expect(union(both, a)).toBe(both);
    expect(union(a, b)).toEqual(union(b, a));
  }));
});
