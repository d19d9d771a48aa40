import { expect, test } from "vitest";

import { isQuiet } from "../src/preferences.js";
import { idsOf } from "../src/parts/new-chat.js";
import { isEmojiOnly } from "../src/parts/text.js";

test("up to three emoji alone are shown large", () => {
  for (const text of ["👍", "❤️", "👨‍👩‍👧", "🇧🇩", "😀 😃", "👍🏽👍🏽👍🏽"]) expect([text, isEmojiOnly(text)]).toEqual([text, true]);
  for (const text of ["", "1", "12", "#", "*", "ok 👍", "😀😀😀😀", "আ"]) expect([text, isEmojiOnly(text)]).toEqual([text, false]);
});

test("quiet hours may run over midnight, and the same hour twice is none", () => {
  const at = (hours: number, minutes = 0): Date => new Date(2026, 0, 1, hours, minutes);
  const night = { on: true, from: "22:00", to: "07:00" };
  expect([at(21, 59), at(22), at(3), at(6, 59), at(7)].map((now) => isQuiet(night, now)))
    .toEqual([false, true, true, true, false]);
  const noon = { on: true, from: "12:00", to: "13:00" };
  expect([at(11), at(12), at(13)].map((now) => isQuiet(noon, now))).toEqual([false, true, false]);
  expect(isQuiet({ on: true, from: "09:00", to: "09:00" }, at(9))).toBe(false);
});

test("people write down user names as they like", () => {
  expect(idsOf(" ann, ben;ann\ncarl ")).toEqual(["ann", "ben", "carl"]);
});
