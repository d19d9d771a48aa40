import type { Browser } from "playwright-core";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";

import { Front } from "./front.js";
import { Adda, Person, launch, until } from "./world.js";

let adda: Adda;
let front: Front;
let browser: Browser;
let people: Person[] = [];
let n = 0;

beforeAll(async () => {
  [adda, browser] = await Promise.all([Adda.start(), launch()]);
  front = await Front.open(adda.url);
});

afterAll(async () => {
  await browser?.close();
  front?.close();
  await adda?.stop();
});

afterEach(async () => {
  const errors = people.flatMap((person) => person.errors);
  await Promise.all(people.map((person) => person.leave()));
  people = [];
  front.back();
  expect(errors).toEqual([]);
});

async function enter(user: string, options?: Parameters<typeof Person.at>[3]): Promise<Person> {
  const person = await Person.at(browser, front, user, options);
  people.push(person);
  return person;
}

/** Two people who have a chat on screen, with names that no other test uses. */
async function pair(): Promise<[Person, Person, string, string]> {
  const [a, b] = [`ann${++n}`, `ben${n}`];
  const [ann, ben] = await Promise.all([enter(a), enter(b)]);
  await ann.talkTo(b);
  await ann.say("first");
  await ben.open(`Ann${n}`);
  await ann.tick("first", "read").waitFor();
  return [ann, ben, `Ann${n}`, `Ben${n}`];
}

test("a message lives: sent, delivered, read, with the badge up and down", async () => {
  const [a, b] = [`ann${++n}`, `ben${n}`];
  const ann = await enter(a);
  await ann.talkTo(b);
  await ann.say("hello");
  await ann.tick("hello", "sent").waitFor();
  const ben = await enter(b);
  await ann.tick("hello", "delivered").waitFor();
  await ben.row(`Ann${n}`).getByText("1 unread message").waitFor({ state: "attached" });
  expect(await ben.page.title()).toBe("(1) adda");
  await ben.open(`Ann${n}`);
  await ann.tick("hello", "read").waitFor();
  await ben.row(`Ann${n}`).getByText("unread").waitFor({ state: "detached" });
  expect(await ben.page.title()).toBe("adda");
});

test("the badge falls on the other device, too", async () => {
  const [ann, ben, annName] = await pair();
  const second = await enter(ben.user);
  await ben.page.evaluate("location.hash = ''");
  await ann.say("to both");
  await second.row(annName).getByText("1 unread message").waitFor({ state: "attached" });
  await ben.open(annName);
  await second.row(annName).getByText("1 unread message").waitFor({ state: "detached" });
});

test("writing is seen, and ends by itself", async () => {
  const [ann, ben] = await pair();
  await ben.box.pressSequentially("hm");
  await ann.page.locator(".heading", { hasText: "typing" }).waitFor();
  await ann.page.locator(".heading", { hasText: "typing" }).waitFor({ state: "detached" });
});

test("the dot goes when the last tab goes", async () => {
  const [ann, ben, , benName] = await pair();
  await ben.say("here");
  await ann.page.locator(".heading", { hasText: "online" }).waitFor();
  expect(await ann.row(benName).locator(".dot").getAttribute("data-online")).toBe("true");
  await ben.page.close();
  await ann.page.locator(".heading", { hasText: "last active" }).waitFor();
  expect(await ann.row(benName).locator(".dot").getAttribute("data-online")).toBe("false");
});

test("what is written without a network waits visibly, and goes out once and in order", async () => {
  const [ann, ben] = await pair();
  await ann.context.setOffline(true);
  front.cut();
  await ann.page.getByText("You are offline").waitFor();
  for (const text of ["one", "two", "three"]) await ann.say(text);
  await ann.tick("three", "waiting to be sent").waitFor();
  front.back();
  await ann.context.setOffline(false);
  await ann.tick("three", "read").waitFor();
  expect(await ann.texts()).toEqual(["first", "one", "two", "three"]);
  expect(await ben.texts()).toEqual(["first", "one", "two", "three"]);
});

test("what waits outlives the tab", async () => {
  const [ann, ben] = await pair();
  await ann.context.setOffline(true);
  await ann.say("before the crash");
  await ann.tick("before the crash", "waiting to be sent").waitFor();
  await ann.page.close();
  await ann.context.setOffline(false);
  await ann.tab(front);
  await ben.message("before the crash").waitFor();
  expect(await ben.texts()).toEqual(["first", "before the crash"]);
});

test("a server that is killed while one writes costs nothing", async () => {
  const [ann, ben] = await pair();
  await ann.say("before");
  await ann.tick("before", "read").waitFor();
  await adda.kill();
  await ann.say("meanwhile");
  await ann.page.getByText(/Reconnecting|Connecting/).waitFor();
  await adda.up();
  await ann.tick("meanwhile", "read").waitFor({ timeout: 30_000 });
  expect(await ben.texts()).toEqual(["first", "before", "meanwhile"]);
  await ann.page.locator(".banner").waitFor({ state: "detached" });
});

describe("two tabs", () => {
  test("share one stream, and the second takes over when the first goes", async () => {
    const [ann, ben] = await pair();
    const before = front.streams;
    const tab = await ann.tab(front);
    await tab.locator(".inbox li").first().click();
    await ben.say("to the tabs");
    await ann.message("to the tabs").waitFor();
    await tab.locator(".message", { hasText: "to the tabs" }).waitFor();
    expect(front.streams).toBe(before);
    await tab.locator("textarea").fill("from the second");
    await tab.locator("textarea").press("Enter");
    await ben.message("from the second").waitFor();
    await ann.message("from the second").waitFor();
    await ann.page.close();
    await ben.say("to who is left");
    await tab.locator(".message", { hasText: "to who is left" }).waitFor();
    await until(() => front.streams === before, "one stream again");
    expect(await ann.texts(tab)).toEqual(["first", "to the tabs", "from the second", "to who is left"]);
  });
});

test("markup is text, links are safe, and bidi tricks stay in their bubble", async () => {
  const [ann, ben] = await pair();
  const nasty = "<img src=x onerror=alert(1)> <script>document.title='pwned'</script> &amp;";
  await ann.say(nasty);
  await ben.message("onerror").waitFor();
  expect((await ben.texts())[1]).toBe(nasty);
  await ann.say("see https://example.com/a?b=c&d=<e>, and javascript:alert(1)");
  const link = ben.message("see https").locator("a");
  await link.waitFor();
  expect(await link.count()).toBe(1);
  expect(await link.getAttribute("href")).toBe("https://example.com/a?b=c&d=");
  expect(await link.getAttribute("rel")).toContain("noopener");
  await ann.say("\u202Eabc https://evil.example/\u202Etxt.exe");
  await ben.message("abc").waitFor();
  expect(await ben.page.title()).not.toContain("pwned");
});
