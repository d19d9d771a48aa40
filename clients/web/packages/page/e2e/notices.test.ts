import { expect, test } from "vitest";

import { Speaker } from "./speaker.js";
import { stage } from "./stage.js";
import { until, type Person } from "./world.js";

const on = stage();

const bell = (person: Person) => person.page.getByRole("button", { name: /^Notifications/ });
const unread = (person: Person, n: number) =>
  person.page.getByRole("button", { name: `Notifications, ${n} unread`, exact: true });

async function settings(person: Person): Promise<void> {
  await person.page.getByRole("button", { name: "Settings" }).click();
  await person.page.getByLabel("Notify me of new messages").waitFor();
}

test("the bell counts what happened, on all devices, until it is seen", async () => {
  const user = on.name("bell");
  const [first, second] = await Promise.all([on.enter(user), on.enter(user)]);
  const friend = await Speaker.at(on.adda.url, on.name("friend"), "A Friend");
  const group = await friend.group("Friday", [user]);
  await Promise.all([unread(first, 1).waitFor(), unread(second, 1).waitFor()]);
  await first.open("Friday");
  await first.say("mine");
  await first.tick("mine", "sent").waitFor();
  // It was seen where it happened.
  await second.page.getByRole("button", { name: "Notifications", exact: true }).waitFor();
  const { messageId } = (await friend.messages(group)).find(({ text }) => text === "mine")!;
  await friend.react(group, messageId, "🎉");
  await unread(second, 1).waitFor();
  await friend.group("Saturday", [user]);
  await unread(second, 2).waitFor();
  await bell(second).click();
  const list = second.page.getByRole("dialog");
  await list.getByText("A Friend reacted with 🎉").waitFor();
  expect(await list.locator("li .preview").allInnerTexts())
    .toEqual(["A Friend added you to the group", "A Friend reacted with 🎉", "A Friend added you to the group"]);
  // To where it happened; that one is seen.
  await list.getByText("A Friend reacted").click();
  await second.message("mine").waitFor();
  await Promise.all([unread(first, 1).waitFor(), unread(second, 1).waitFor()]);
  await bell(first).click();
  await first.page.getByRole("dialog").getByRole("button", { name: "Mark all as read" }).click();
  await second.page.getByRole("button", { name: "Notifications", exact: true }).waitFor();
  await until(async () => (await first.page.getByRole("dialog").locator("[data-unread=true]").count()) === 0, "all are seen");
  // And are so after a reload.
  await second.page.reload();
  await second.up();
  await second.page.getByRole("button", { name: "Notifications", exact: true }).click();
  await second.page.getByText("A Friend reacted with 🎉").waitFor();
  expect(await second.page.getByRole("dialog").locator("[data-unread=true]").count()).toBe(0);
});

test("what is taken back is not listed any more", async () => {
  const user = on.name("back");
  const person = await on.enter(user);
  const friend = await Speaker.at(on.adda.url, on.name("friend"), "A Friend");
  const group = await friend.group("Friday", [user]);
  await person.open("Friday");
  await person.say("mine");
  await person.tick("mine", "sent").waitFor();
  await person.page.getByRole("button", { name: "Notifications", exact: true }).waitFor();
  const { messageId } = (await friend.messages(group)).find(({ text }) => text === "mine")!;
  await friend.react(group, messageId, "🎉");
  await unread(person, 1).waitFor();
  await bell(person).click();
  const reaction = person.page.getByRole("dialog").getByText("A Friend reacted");
  await reaction.waitFor();
  await friend.unreact(group, messageId, "🎉");
  await reaction.waitFor({ state: "detached" });
  await person.page.keyboard.press("Escape");
  await person.page.getByRole("button", { name: "Notifications", exact: true }).waitFor();
});

test("how one wants to be told is the same on all devices", async () => {
  const user = on.name("wish");
  const person = await on.enter(user, { timezoneId: "Asia/Dhaka" });
  await settings(person);
  const { page } = person;
  await page.getByLabel("A notification shows").selectOption("Who writes");
  await page.getByLabel("With a sound").uncheck();
  await page.getByRole("button", { name: "Add quiet hours" }).click();
  await page.getByRole("button", { name: "Saturday" }).click();
  await page.getByRole("button", { name: "Sunday" }).click();
  await page.getByLabel("From").fill("23:15");
  await page.getByLabel("Mentions of me ring").check();
  type Shown = { adda: { state: { preferences: { revision: number } | null } } };
  const kept = (of: Person) => of.page.evaluate(() => (window as unknown as Shown).adda.state.preferences);
  const wish = {
    off: false, silent: true, preview: "sender", mentionsPierce: true, timeZone: "Asia/Dhaka",
    quietHours: [{ weekdays: [1, 2, 3, 4, 5], start: 23 * 60 + 15, end: 7 * 60 }],
  };
  await until(async () => {
    const { revision: _, ...held } = (await kept(person)) ?? { revision: 0 };
    return JSON.stringify(Object.entries(held).sort()) === JSON.stringify(Object.entries(wish).sort());
  }, "the server has them");
  const other = await on.enter(user, { timezoneId: "Europe/Paris" });
  await settings(other);
  expect(await other.page.getByLabel("Time zone").inputValue()).toBe("Asia/Dhaka");
  expect(await other.page.getByLabel("From").inputValue()).toBe("23:15");
  expect(await other.page.getByRole("button", { pressed: true }).count()).toBe(5);
  await other.page.getByRole("button", { name: "Remove these quiet hours" }).click();
  await other.page.getByLabel("Notify me of new messages").uncheck();
  await until(async () => (await kept(other) as { off?: boolean } | null)?.off === true, "none at all");
  await page.reload();
  await person.up();
  await settings(person);
  await until(async () => !(await page.getByLabel("Notify me of new messages").isChecked()), "it is so here");
});

test("of which messages of a chat one is told, on all devices", async () => {
  const { ann, benName } = await on.pair();
  const other = await on.enter(ann.user);
  await ann.page.getByRole("button", { name: "About this chat" }).click();
  await ann.page.getByLabel("Notify me of").selectOption("Nothing");
  await other.row(benName).getByRole("img", { name: "Muted" }).waitFor();
  await ann.page.getByLabel("Until").selectOption("For 8 hours");
  await until(async () => (await ann.page.getByLabel("Until").inputValue()) === "set", "there is an end");
  await ann.page.getByLabel("Notify me of").selectOption("All messages");
  await other.row(benName).getByRole("img", { name: "Muted" }).waitFor({ state: "detached" });
});

test("where the server has no notifications, this device has its own quiet hours", async () => {
  const person = await on.enter(on.name("old"), { permissions: ["notifications"] });
  const { page } = person;
  await page.route("**/adda.v1.NotificationService/**", (route) => route.fulfill({
    headers: { "content-type": "application/grpc-web+proto", "grpc-status": "12" },
  }));
  await page.reload();
  await person.up();
  await bell(person).waitFor({ state: "detached" });
  await page.getByRole("button", { name: "Settings" }).click();
  await page.getByLabel("Notifications on this device").click();
  await page.getByLabel("From").fill("21:00");
  await page.reload();
  await person.up();
  await page.getByRole("button", { name: "Settings" }).click();
  expect(await page.getByLabel("From").inputValue()).toBe("21:00");
  expect(await page.getByLabel("Notify me of new messages").count()).toBe(0);
});
