import { expect, test } from "vitest";

import { stage } from "./stage.js";
import { until, type Person } from "./world.js";

const on = stage();

/** Opens the menu of a message and chooses from it. */
async function act(person: Person, text: string, name: string): Promise<void> {
  await person.message(text).first().hover();
  await person.message(text).first().getByRole("button", { name: "Actions for this message" }).click();
  await person.page.getByRole("menu").getByText(name, { exact: true }).click();
}

async function react(person: Person, text: string, emoji: string): Promise<void> {
  await person.message(text).hover();
  await person.message(text).getByRole("button", { name: "Actions for this message" }).click();
  await person.page.getByRole("menuitemcheckbox", { name: `React with ${emoji}` }).click();
}

test("a message is edited: both see the new text, and that it was edited; the ticks stay", async () => {
  const { ann, ben, annName } = await on.pair();
  await ann.say("a typo");
  await ann.tick("a typo", "read").waitFor();
  await act(ann, "a typo", "Edit");
  await until(async () => (await ann.box.inputValue()) === "a typo", "the text is there to be changed");
  await ann.box.fill("no typo");
  await ann.box.press("Enter");
  await ben.message("no typo").getByText("edited").waitFor();
  await ann.tick("no typo", "read").waitFor();
  await ben.row(annName).getByText("no typo").waitFor();
  expect(await ann.box.inputValue()).toBe("");
  expect(await ben.texts()).toEqual(["first", "no typo"]);
});

test("an editing that is cancelled changes nothing", async () => {
  const { ann, ben } = await on.pair();
  await ann.say("as it is");
  await ben.message("as it is").waitFor();
  await act(ann, "as it is", "Edit");
  await ann.box.fill("otherwise");
  await ann.box.press("Escape");
  expect(await ann.box.inputValue()).toBe("");
  await ann.say("next");
  await ben.message("next").waitFor();
  expect(await ben.texts()).toEqual(["first", "as it is", "next"]);
});

test("a message is deleted for everyone: its place stays, the badge and the preview follow", async () => {
  const { ann, ben, annName } = await on.pair();
  await ben.page.evaluate(() => { location.hash = ""; });
  await ann.say("a secret");
  await ben.row(annName).getByText("1 unread message").waitFor({ state: "attached" });
  await act(ann, "a secret", "Delete for everyone");
  await ann.message("This message was deleted").waitFor();
  await ben.row(annName).getByText("unread").waitFor({ state: "detached" });
  await ben.row(annName).getByText("Message deleted").waitFor();
  await ben.open(annName);
  await ben.message("This message was deleted").waitFor();
  expect(await ben.texts()).toEqual(["first"]);
});

test("a message is deleted for oneself, on the other device too, and for nobody else", async () => {
  const { ann, ben, benName } = await on.pair();
  await ben.say("not for long");
  await ann.message("not for long").waitFor();
  const second = await on.enter(ann.user);
  await second.open(benName);
  await second.message("not for long").waitFor();
  await act(ann, "not for long", "Delete for me");
  await ann.message("not for long").waitFor({ state: "detached" });
  await second.message("not for long").waitFor({ state: "detached" });
  expect(await ben.texts()).toEqual(["first", "not for long"]);
});

test("reactions come and go, one a person and emoji", async () => {
  const { ann, ben } = await on.pair();
  await react(ben, "first", "❤️");
  await ann.message("first").getByRole("button", { name: "❤️, 1 person" }).click();
  await ben.message("first").getByRole("button", { name: "❤️, 2 people" }).waitFor();
  await ben.message("first").getByRole("button", { name: "❤️, 2 people", pressed: true }).click();
  await ann.message("first").getByRole("button", { name: "❤️, 1 person", pressed: true }).click();
  await ben.message("first").locator(".reactions").waitFor({ state: "detached" });
});

test("an answer shows what it answers, and leads there", async () => {
  const { ann, ben } = await on.pair();
  await act(ben, "first", "Reply");
  await ben.say("to that");
  await ann.message("to that").locator(".quote", { hasText: "first" }).click();
  await ann.page.locator('[data-target="true"]', { hasText: "first" }).waitFor();
});

test("words are found in all chats, Bengali ones too, and lead to their message", async () => {
  const { ann, ben, annName } = await on.pair();
  await ann.say("the umbrella is in the hall");
  await ann.say("ছাতাটা বারান্দায়");
  await ben.message("ছাতাটা").waitFor();
  for (const [query, text] of [["umbrel", "the umbrella"], ["ছাতাটা", "ছাতাটা"]] as const) {
    await ben.page.evaluate(() => { location.hash = ""; });
    await ben.page.getByRole("searchbox").fill(query);
    await ben.page.locator(".found li", { hasText: annName }).getByText(text).click();
    await ben.page.locator('[data-target="true"]', { hasText: text }).waitFor();
  }
  await ben.page.getByRole("searchbox").fill("zzzz");
  await ben.page.locator(".found").getByText("Nothing found").waitFor();
});

test("what changed while one was away is there when one comes back", async () => {
  const { ann, ben, annName } = await on.pair();
  await ann.say("to be changed");
  await ann.say("to be deleted");
  await ben.message("to be deleted").waitFor();
  await ben.page.close();
  await act(ann, "to be changed", "Edit");
  await ann.box.fill("changed");
  await ann.box.press("Enter");
  await act(ann, "to be deleted", "Delete for everyone");
  await ann.message("This message was deleted").waitFor();
  const tab = await ben.tab(on.front);
  await tab.locator(".inbox li", { hasText: annName }).first().click();
  await tab.locator(".message", { hasText: "This message was deleted" }).waitFor();
  expect(await ben.texts(tab)).toEqual(["first", "changed"]);
});
