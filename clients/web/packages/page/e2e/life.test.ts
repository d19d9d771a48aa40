import { describe, expect, test } from "vitest";

import { stage } from "./stage.js";
import { until } from "./world.js";

const on = stage();

test("a message lives: sent, delivered, read, with the badge up and down", async () => {
  const [a, b] = [on.name("mia"), on.name("noor")];
  const mia = await on.enter(a);
  await mia.talkTo(b);
  await mia.say("hello");
  await mia.tick("hello", "sent").waitFor();
  const noor = await on.enter(b);
  await mia.tick("hello", "delivered").waitFor();
  await noor.row("Mia").getByText("1 unread message").waitFor({ state: "attached" });
  expect(await noor.page.title()).toBe("(1) adda");
  await noor.open("Mia");
  await mia.tick("hello", "read").waitFor();
  await noor.row("Mia").getByText("unread").waitFor({ state: "detached" });
  expect(await noor.page.title()).toBe("adda");
});

test("the badge falls on the other device, too", async () => {
  const { ann, ben, annName } = await on.pair();
  const second = await on.enter(ben.user);
  await ben.page.evaluate("location.hash = ''");
  await ann.say("to both");
  await second.row(annName).getByText("1 unread message").waitFor({ state: "attached" });
  await ben.open(annName);
  await second.row(annName).getByText("1 unread message").waitFor({ state: "detached" });
});

test("writing is seen, and ends by itself", async () => {
  const { ann, ben } = await on.pair();
  await ben.box.pressSequentially("hm");
  await ann.page.locator(".heading", { hasText: "typing" }).waitFor();
  await ann.page.locator(".heading", { hasText: "typing" }).waitFor({ state: "detached" });
});

test("the dot goes when the last tab goes", async () => {
  const { ann, ben, benName } = await on.pair();
  await ben.say("here");
  await ann.page.locator(".heading", { hasText: "online" }).waitFor();
  expect(await ann.row(benName).locator(".dot").getAttribute("data-online")).toBe("true");
  await ben.page.close();
  await ann.page.locator(".heading", { hasText: "last active" }).waitFor();
  expect(await ann.row(benName).locator(".dot").getAttribute("data-online")).toBe("false");
});

test("what is written without a network waits visibly, and goes out once and in order", async () => {
  const { ann, ben } = await on.pair();
  await ann.context.setOffline(true);
  on.front.cut();
  await ann.page.getByText("You are offline").waitFor();
  for (const text of ["one", "two", "three"]) await ann.say(text);
  await ann.tick("three", "waiting to be sent").waitFor();
  on.front.back();
  await ann.context.setOffline(false);
  await ann.tick("three", "read").waitFor();
  expect(await ann.texts()).toEqual(["first", "one", "two", "three"]);
  expect(await ben.texts()).toEqual(["first", "one", "two", "three"]);
});

test("what waits outlives the tab", async () => {
  const { ann, ben } = await on.pair();
  await ann.context.setOffline(true);
  await ann.say("before the crash");
  await ann.tick("before the crash", "waiting to be sent").waitFor();
  await ann.page.close();
  await ann.context.setOffline(false);
  await ann.tab(on.front);
  await ben.message("before the crash").waitFor();
  expect(await ben.texts()).toEqual(["first", "before the crash"]);
});

test("a server that is killed while one writes costs nothing", async () => {
  const { ann, ben } = await on.pair();
  await ann.say("before");
  await ann.tick("before", "read").waitFor();
  await ann.box.pressSequentially("mean");
  await on.adda.kill();
  await ann.box.pressSequentially("while");
  await ann.box.press("Enter");
  await ann.page.getByText(/Reconnecting|Connecting/).waitFor();
  await on.adda.up();
  await ann.tick("meanwhile", "read").waitFor({ timeout: 30_000 });
  expect(await ben.texts()).toEqual(["first", "before", "meanwhile"]);
  await ann.page.locator(".banner").waitFor({ state: "detached" });
});

describe("two tabs", () => {
  test("share one stream, and the second takes over when the first goes", async () => {
    const { ann, ben } = await on.pair();
    const before = on.front.streams;
    const tab = await ann.tab(on.front);
    await tab.locator(".inbox li").first().click();
    await ben.say("to the tabs");
    await ann.message("to the tabs").waitFor();
    await tab.locator(".message", { hasText: "to the tabs" }).waitFor();
    expect(on.front.streams).toBe(before);
    await tab.locator("textarea").fill("from the second");
    await tab.locator("textarea").press("Enter");
    await ben.message("from the second").waitFor();
    await ann.message("from the second").waitFor();
    await ann.page.close();
    await ben.say("to who is left");
    await tab.locator(".message", { hasText: "to who is left" }).waitFor();
    await until(() => on.front.streams === before, "one stream again");
    expect(await ann.texts(tab)).toEqual(["first", "to the tabs", "from the second", "to who is left"]);
  });
});

test("markup is text, links are safe, and bidi tricks stay in their bubble", async () => {
  const { ann, ben } = await on.pair();
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
