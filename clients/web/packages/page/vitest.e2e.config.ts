import { defineConfig, type TestProjectInlineConfiguration } from "vitest/config";

import { pairs, type Pair } from "./e2e/backends.js";

/** What the page does whatever the server keeps things in. */
const ONCE = ["e2e/page.test.ts", "e2e/example.test.ts"];
/** What looks at frames: nothing else may run meanwhile. */
const ALONE = ["e2e/history.test.ts"];

/** Tests on one pair of backends; those of a later group wait for the earlier ones. */
function on(pair: Pair, alone: boolean, groupOrder: number): TestProjectInlineConfiguration {
  return {
    test: {
      name: alone ? `${pair}, alone` : pair,
      include: alone ? ALONE : ["e2e/**/*.test.ts"],
      exclude: alone ? [] : [...ALONE, ...(pair === "sqlite" ? [] : ONCE)],
      env: { ADDA_E2E_PAIR: pair },
      testTimeout: 90_000,
      hookTimeout: 90_000,
      sequence: { groupOrder },
    },
  };
}

export default defineConfig({
  test: {
    projects: pairs().flatMap((pair, i) => [on(pair, false, 0), on(pair, true, i + 1)]),
    // People mostly wait for one another, so more files run at once than there are processors.
    maxWorkers: 3,
    minWorkers: 1,
  },
});
