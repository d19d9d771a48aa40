import { readdirSync, readFileSync } from "node:fs";

import { expect, test } from "vitest";

import { bn } from "../src/i18n/bn.js";
import { en } from "../src/i18n/en.js";

const holes = (text: string): string[] => [...text.matchAll(/\{(\w+)\}/g)].map(([, name]) => name!).sort();

test("both languages say everything, with the same parts in it", () => {
  expect(Object.keys(bn).sort()).toEqual(Object.keys(en).sort());
  for (const [key, text] of Object.entries(en)) {
    expect([key, holes(bn[key as keyof typeof en])]).toEqual([key, holes(text)]);
  }
});

test("every text is used somewhere", () => {
  const sources = ["src", "src/parts", "src/i18n"].flatMap((folder) =>
    readdirSync(new URL(`../${folder}`, import.meta.url)).filter((name) => /\.tsx?$/.test(name) && !/^(en|bn)\./.test(name))
      .map((name) => readFileSync(new URL(`../${folder}/${name}`, import.meta.url), "utf8"))).join("\n");
  const built = [...sources.matchAll(/`([a-z.-]+)\$\{/g)].map(([, start]) => start!);
  const unused = Object.keys(en).map((key) => key.replace(/_(one|other)$/, ""))
    .filter((key) => !sources.includes(`"${key}"`) && !built.some((start) => key.startsWith(start)));
  expect(unused).toEqual([]);
});
