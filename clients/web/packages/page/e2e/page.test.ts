import { readdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { gzipSync } from "node:zlib";

import { describe, expect, test } from "vitest";

import { DIST } from "./ground.js";
import { Speaker } from "./speaker.js";
import { stage } from "./stage.js";
import { until, type Person } from "./world.js";

const on = stage();

test("the first load is under 250 kB of JavaScript, gzipped", () => {
  const html = readFileSync(join(DIST, "index.html"), "utf8");
  const first = [...html.matchAll(/(?:src|href)="\.?\/?(assets\/[^"]+\.js)"/g)].map(([, path]) => path!);
  expect(first.length).toBeGreaterThan(0);
  const bytes = first.reduce((sum, path) => sum + gzipSync(readFileSync(join(DIST, path))).length, 0);
  expect(bytes).toBeLessThan(250_000);
});

test("nothing on the page is inline, and nothing comes from elsewhere", () => {
  const html = readFileSync(join(DIST, "index.html"), "utf8");
  expect(html).not.toMatch(/<script(?![^>]*src=)|<style|\son\w+=|\sstyle=/i);
  expect(html).not.toMatch(/https?:\/\//);
  for (const name of readdirSync(join(DIST, "assets")).filter((each) => each.endsWith(".css"))) {
    expect(readFileSync(join(DIST, "assets", name), "utf8")).not.toMatch(/@import|url\(/);
  }
});

const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

async function complaints(person: Person): Promise<string[]> {
  // Evaluated by the debugger, which no Content-Security-Policy binds.
  const session = await person.context.newCDPSession(person.page);
  await session.send("Runtime.evaluate", { expression: axe });
  const { result } = await session.send("Runtime.evaluate", {
    expression: `axe.run({ runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"] })
      .then((found) => JSON.stringify(found.violations.flatMap((each) => each.nodes.map((node) =>
        each.id + ": " + node.target + " " + node.failureSummary))))`,
    awaitPromise: true, returnByValue: true,
  });
  await session.detach();
  return JSON.parse(result.value as string) as string[];
}

describe.each(["light", "dark"] as const)("axe finds nothing: %s", (colorScheme) => {
  test("in the conversation, its menus and dialogs, wide and narrow", async () => {
    const user = on.name("axe");
    const friend = await Speaker.at(on.adda.url, on.name("friend"), "A Friend");
    const chat = await friend.direct(user);
    const { messageId } = await friend.say(chat, "hello https://example.org/");
    await friend.say(chat, "an answer", messageId);
    await friend.say(await friend.group("A group", [user]), "to all");
    // What fades in would be found pale.
    const person = await on.enter(user, { colorScheme, reducedMotion: "reduce" });
    await person.row("A Friend").waitFor();
    expect(await complaints(person)).toEqual([]);
    await person.open("A Friend");
    await person.say("mine");
    await person.tick("mine", "sent").waitFor();
    expect(await complaints(person)).toEqual([]);
    await person.message("mine").hover();
    await person.message("mine").getByRole("button", { name: "Actions" }).click();
    expect(await complaints(person)).toEqual([]);
    await person.page.keyboard.press("Escape");
    for (const name of ["Notifications", "Settings", "New chat", "About this chat"]) {
      await person.page.getByRole("button", { name }).click();
      await person.page.getByRole("dialog").waitFor();
      if (name === "Notifications") await person.page.getByText("added you to the group").waitFor();
      if (name === "Settings") await person.page.getByRole("button", { name: "Add quiet hours" }).click();
      expect(await complaints(person)).toEqual([]);
      await person.page.keyboard.press("Escape");
    }
    await person.page.setViewportSize({ width: 360, height: 740 });
    expect(await complaints(person)).toEqual([]);
    await person.page.getByRole("button", { name: "Back to chats" }).click();
    expect(await complaints(person)).toEqual([]);
  });
});

test("the keyboard alone suffices", async () => {
  const user = on.name("keys");
  const friend = await Speaker.at(on.adda.url, on.name("other"), "Some Other");
  const third = await Speaker.at(on.adda.url, on.name("third"), "A Third");
  await third.say(await third.direct(user), "earlier");
  await friend.say(await friend.direct(user), "hello");
  const { page, ...person } = await on.enter(user).then((each) => ({ page: each.page, each }));
  const keys = person.each;
  await keys.row("Some Other").waitFor();
  await page.getByRole("searchbox").focus();
  await page.keyboard.press("ArrowDown");
  await page.keyboard.press("ArrowDown");
  await page.keyboard.press("Enter");
  await keys.message("earlier").waitFor();
  await page.getByRole("searchbox").focus();
  await page.keyboard.press("ArrowDown");
  await page.keyboard.press("Enter");
  await keys.message("hello").waitFor();
  await until(() => page.evaluate(() => document.activeElement?.tagName === "TEXTAREA"), "one may write at once");
  await page.keyboard.type("by keys");
  await page.keyboard.press("Shift+Enter");
  await page.keyboard.type("alone");
  await page.keyboard.press("Enter");
  await keys.tick("by keys", "sent").waitFor();
  expect(await keys.texts()).toEqual(["hello", "by keys\nalone"]);
  // To the message before, and answer it.
  await page.getByRole("feed").focus();
  await page.keyboard.press("ArrowUp");
  await page.keyboard.press("ArrowUp");
  await page.keyboard.press("Enter");
  await page.getByRole("menuitem", { name: "Reply" }).focus();
  await page.keyboard.press("Enter");
  await page.keyboard.type("an answer");
  await page.keyboard.press("Enter");
  await keys.message("an answer").locator(".quote", { hasText: "hello" }).waitFor();
});

test("what comes is said to who does not see it", async () => {
  const { ann, ben, annName } = await on.pair();
  await ann.say("spoken");
  await ben.page.locator("[data-live]", { hasText: `${annName}: spoken` }).waitFor({ state: "attached" });
});

test("what was written stays a draft of its chat, over a reload too", async () => {
  const { ann, ben, benName } = await on.pair();
  await ann.box.fill("not yet");
  await ann.page.evaluate(() => { location.hash = ""; });
  await ann.row(benName).getByText("not yet").waitFor();
  await ann.page.reload();
  await ann.open(benName);
  expect(await ann.box.inputValue()).toBe("not yet");
  await ann.box.press("Enter");
  await ben.message("not yet").waitFor();
});

test("in Bengali everything is", async () => {
  const { ann } = await on.pair();
  await ann.page.getByRole("button", { name: "Settings" }).click();
  await ann.page.getByLabel("Language").selectOption("bn");
  await ann.page.getByRole("heading", { name: "আলাপ", exact: true }).waitFor({ state: "attached" });
  expect(await ann.page.evaluate(() => document.documentElement.lang)).toBe("bn");
  await ann.page.reload();
  await ann.page.getByRole("heading", { name: "আলাপ", exact: true }).waitFor();
});
