import { readFileSync } from "node:fs";

import { expect, test } from "vitest";

const file = (path: string): string => readFileSync(new URL(`../${path}`, import.meta.url), "utf8");

test("the example in the README is the one that is tried", () => {
  expect(file("README.md")).toContain(`\`\`\`ts\n${file("example/talk.ts")}\`\`\``);
});
