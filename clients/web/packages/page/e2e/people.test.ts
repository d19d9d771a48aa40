import { expect, test } from "vitest";

import { Speaker } from "./speaker.js";
import { stage } from "./stage.js";

const on = stage();

test("who is blocked is told nothing, and what they write says why it does not go", async () => {
  const { ann, ben, benName, annName } = await on.pair();
  await ben.say("hello");
  await ann.page.locator(".heading", { hasText: "online" }).waitFor();
  await ann.page.getByRole("button", { name: "About this chat" }).click();
  await ann.page.getByRole("button", { name: `Block ${benName}`, exact: true }).click();
  await ann.page.getByRole("button", { name: `Unblock ${benName}` }).waitFor();
  await ann.page.keyboard.press("Escape");
  await ben.say("are you there?");
  await ben.page.getByText("You cannot write to this person.").waitFor();
  // Back again: what had failed goes when it is tried again.
  await ann.page.getByRole("button", { name: "Settings" }).click();
  await ann.page.getByRole("button", { name: "Unblock" }).click();
  await ann.page.getByText("You have blocked nobody.").waitFor();
  await ann.page.keyboard.press("Escape");
  await ben.page.getByRole("button", { name: "Try again" }).click();
  await ann.message("are you there?").waitFor();
  expect(await ann.texts()).toEqual(["first", "hello", "are you there?"]);
  expect(annName).not.toBe(benName);
});

test("who hides what they have read is not shown what others have", async () => {
  const { ann, ben } = await on.pair();
  await ann.page.getByRole("button", { name: "Settings" }).click();
  await ann.page.getByLabel("Hide what I have read").check();
  await ann.page.keyboard.press("Escape");
  await ben.say("seen?");
  await ann.message("seen?").waitFor();
  await ben.tick("seen?", "delivered").waitFor();
  await ann.say("and this?");
  await ben.message("and this?").waitFor();
  await ann.tick("and this?", "delivered").waitFor();
});

test("a new name is told", async () => {
  const { ann, ben, annName } = await on.pair();
  await ben.row(annName).waitFor();
  // Her next token says so, wherever she uses it.
  await (await Speaker.at(on.adda.url, ann.user, "Ann the Great")).direct(ben.user);
  await ben.row("Ann the Great").waitFor();
});
