import { expect, test } from "vitest";

import { Speaker } from "./speaker.js";
import { stage } from "./stage.js";
import { until, type Person } from "./world.js";

const on = stage();

/** How many messages there are. */
const MANY = 100_000;
/** The last of them are of all sizes. */
const LAST = 400;

/** Sizes of text as people write: a word, a line, a few lines. */
function texts(n: number): string[] {
  return Array.from({ length: n }, (_, i) => `number ${i} ${"and so on ".repeat((i * 7919) % 31)}`.trim());
}

/** The place at the top of the screen, and how far it is from there. */
function top(person: Person): Promise<{ place: number; top: number }> {
  return person.page.evaluate(() => {
    const box = document.querySelector(".timeline")!.getBoundingClientRect();
    for (const row of document.querySelectorAll<HTMLElement>("[data-place]")) {
      const rect = row.getBoundingClientRect();
      if (rect.bottom > box.top + 1) return { place: Number(row.dataset["place"]), top: rect.top - box.top };
    }
    return { place: 0, top: 0 };
  });
}

test(`a history of ${MANY} messages is read up and back down, without a hole and without a jump`, async () => {
  const [user, other] = await on.adda.fill(MANY - LAST);
  const writer = await Speaker.at(on.adda.url, other, "The Writer");
  const chat = await writer.newest();
  await writer.sayMany(chat, texts(LAST));
  await (await Speaker.at(on.adda.url, user)).read(chat, MANY);
  const reader = await on.enter(user);
  await reader.open("filled");
  const place = (seq: number) => reader.page.locator(`[data-place="${seq}"] .text`);
  await place(MANY).waitFor();

  // By the wheel: what is at the top moves by no more than it was scrolled.
  await reader.page.locator(".timeline").hover();
  for (let step = 0; step < 12; step++) {
    const before = await top(reader);
    await reader.page.mouse.wheel(0, -900);
    await until(async () => (await top(reader)).place < before.place, "one scrolls up");
    await until(() => reader.page.evaluate(() => document.querySelector(".timeline .skeleton") === null), "all is there");
    const shown = await top(reader);
    const row = await reader.page.locator(`[data-place="${before.place}"]`).boundingBox();
    const box = await reader.page.locator(".timeline").boundingBox();
    if (row && box) expect(Math.abs(row.y - box.y - before.top - 900)).toBeLessThan(160);
    expect(shown.place).toBeGreaterThan(0);
  }

  // To the very beginning, to the middle, and back.
  await reader.page.getByRole("feed").focus();
  await reader.page.keyboard.press("Home");
  await place(1).waitFor();
  await reader.page.locator(".timeline").evaluate((box) => { box.scrollTop = box.scrollHeight / 2; });
  await until(async () => {
    const { place: at } = await top(reader);
    return at > MANY / 4 && at < (MANY * 3) / 4;
  }, "the middle is shown");
  await until(() => reader.page.evaluate(() => document.querySelector(".timeline .skeleton") === null), "the middle is there");
  const middle = await top(reader);
  await writer.say(chat, "meanwhile");
  await reader.page.getByRole("button", { name: "1 new message" }).waitFor();
  expect(await top(reader)).toEqual(middle);
  await reader.page.getByRole("button", { name: "1 new message" }).click();
  await reader.message("meanwhile").waitFor();
  // Few rows are drawn, however many there are.
  expect(await reader.page.locator("[data-place]").count()).toBeLessThan(260);
});

test("a busy chat is drawn without a stutter", async () => {
  const user = on.name("watcher");
  const writer = await Speaker.at(on.adda.url, on.name("crowd"), "The Crowd");
  const chat = await writer.direct(user);
  await writer.say(chat, "begin");
  const watcher = await on.enter(user);
  await watcher.open("The Crowd");
  await watcher.page.evaluate(() => {
    const seen = { frames: 0, slow: 0, last: performance.now() };
    (window as unknown as { seen: typeof seen }).seen = seen;
    const frame = (now: number): void => {
      seen.frames++;
      if (now - seen.last > 120) seen.slow++;
      seen.last = now;
      requestAnimationFrame(frame);
    };
    requestAnimationFrame(frame);
  });
  await writer.sayMany(chat, texts(600), 20);
  await until(() => watcher.page.evaluate(() => document.querySelector('[data-place="601"] .text') !== null), "all came");
  const seen = await watcher.page.evaluate(() => (window as unknown as { seen: { frames: number; slow: number } }).seen);
  // Two cores carry the server, the writer and the browser; so of all frames only few may be late.
  expect(seen.slow / seen.frames).toBeLessThan(0.2);
});

test("a chat opens at the first message that is not read", async () => {
  const user = on.name("late");
  const writer = await Speaker.at(on.adda.url, on.name("early"), "The Early");
  const chat = await writer.direct(user);
  await writer.sayMany(chat, texts(60), 1);
  await (await Speaker.at(on.adda.url, user)).read(chat, 20);
  const late = await on.enter(user);
  await late.row("The Early").getByText("40 unread messages").waitFor({ state: "attached" });
  await late.open("The Early");
  // The line stands in the upper half of the screen.
  await until(() => late.page.evaluate(() => {
    const line = document.querySelector(".unread-line")?.getBoundingClientRect();
    const box = document.querySelector(".timeline")!.getBoundingClientRect();
    return line !== undefined && line.top >= box.top && line.top < box.top + box.height / 2;
  }), "it opens at the line");
  expect(await late.page.locator(".unread-line").innerText()).toBe("New messages");
  // Only what was on screen is read.
  await until(() => late.page.evaluate(() => /\((\d+)\)/.exec(document.title) !== null), "some are left");
  await late.page.getByRole("button", { name: /new messages/ }).click();
  await late.message("number 59").waitFor();
});
