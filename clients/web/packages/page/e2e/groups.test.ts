import { expect, test } from "vitest";

import { Speaker } from "./speaker.js";
import { stage } from "./stage.js";
import type { Person } from "./world.js";

const on = stage();

async function makeGroup(person: Person, title: string, members: readonly string[]): Promise<void> {
  await person.page.getByRole("button", { name: "New chat" }).click();
  await person.page.getByRole("radio", { name: "A group" }).click();
  await person.page.getByLabel("Title of the group").fill(title);
  await person.page.getByLabel("Members").fill(members.join(", "));
  await person.page.getByRole("button", { name: "Create the group" }).click();
  await person.box.waitFor();
}

async function details(person: Person): Promise<void> {
  await person.page.getByRole("button", { name: "About this chat" }).click();
  await person.page.getByRole("dialog").waitFor();
}

async function manage(person: Person, who: string, what: string): Promise<void> {
  await person.page.getByRole("button", { name: `Manage ${who}` }).click();
  await person.page.getByRole("menuitem", { name: what }).click();
}

test("a group is made, renamed, grows, and tells it in its own order", async () => {
  const [a, b, c] = [on.name("ada"), on.name("bo"), on.name("cy")];
  const [ada, bo, cy] = [await on.enter(a), await on.enter(b), await on.enter(c)];
  await makeGroup(ada, "The Adda", [b]);
  await ada.say("hello all");
  await bo.open("The Adda");
  await bo.message("hello all").locator(".sender").getByText("Ada").waitFor();
  await ada.tick("hello all", "read").waitFor();
  await details(ada);
  await ada.page.getByRole("dialog").getByLabel("Title").fill("The Long Adda");
  await ada.page.getByRole("button", { name: "Save" }).click();
  await bo.row("The Long Adda").waitFor();
  await ada.page.getByLabel("Add members").fill(c);
  await ada.page.getByRole("button", { name: "Add", exact: true }).click();
  await cy.row("The Long Adda").waitFor();
  // Who comes later sees what is said from then on.
  await cy.open("The Long Adda");
  await cy.page.locator(".note", { hasText: "added you" }).waitFor();
  expect(await cy.texts()).toEqual([]);
  await bo.page.locator(".note", { hasText: "named the group “The Long Adda”" }).waitFor();
});

test("roles are given and taken, and who is removed hears no more", async () => {
  const [a, b, c] = [on.name("ada"), on.name("bo"), on.name("cy")];
  const [ada, bo, cy] = [await on.enter(a), await on.enter(b), await on.enter(c)];
  await makeGroup(ada, "Roles", [b, c]);
  await ada.say("begin");
  await bo.open("Roles");
  await cy.open("Roles");
  await details(ada);
  const shown = (user: string): string => user.charAt(0).toUpperCase() + user.slice(1);
  await manage(ada, shown(b), "Make admin");
  await bo.page.locator(".note", { hasText: "made you admin" }).waitFor();
  await details(bo);
  await manage(bo, shown(c), "Remove");
  await cy.row("Roles").waitFor({ state: "detached" });
  await cy.page.getByText("Choose a chat").waitFor();
});

test("who leaves is gone from the list, and the group goes on", async () => {
  const [a, b] = [on.name("ada"), on.name("bo")];
  const [ada, bo] = [await on.enter(a), await on.enter(b)];
  await makeGroup(ada, "Leaving", [b]);
  await ada.say("begin");
  await bo.open("Leaving");
  await details(ada);
  ada.page.once("dialog", (dialog) => void dialog.accept());
  await ada.page.getByRole("button", { name: "Leave the group" }).click();
  await ada.row("Leaving").waitFor({ state: "detached" });
  await bo.page.locator(".note", { hasText: "left" }).waitFor();
  await bo.say("alone now");
  await bo.tick("alone now", "sent").waitFor();
});

test("pinned chats come first, archived ones stand apart, on all devices", async () => {
  const { ann, benName } = await on.pair();
  const other = on.name("dora");
  await ann.talkTo(other);
  await ann.say("newer");
  await ann.tick("newer", "sent").waitFor();
  const second = await on.enter(ann.user);
  const first = (person: Person) => person.page.locator(".inbox li strong").first();
  await ann.open(benName);
  await details(ann);
  await ann.page.getByRole("button", { name: "Pin", exact: true }).click();
  await second.row(benName).getByRole("img", { name: "Pinned" }).waitFor();
  expect(await first(second).innerText()).toBe(benName);
  await ann.page.getByRole("button", { name: "Archive", exact: true }).click();
  await second.row(benName).waitFor({ state: "detached" });
  await second.page.getByRole("button", { name: "Archived" }).click();
  await second.row(benName).waitFor();
});

test("a member is named by @ and a few letters", async () => {
  const [a, b] = [on.name("ada"), on.name("bo")];
  const [ada, bo] = [await on.enter(a), await on.enter(b)];
  await makeGroup(ada, "Names", [b]);
  await ada.say("begin");
  await bo.open("Names");
  await bo.message("begin").waitFor();
  await ada.box.pressSequentially("hey @bo");
  await ada.box.press("Tab");
  await ada.box.pressSequentially("come");
  await ada.box.press("Enter");
  await bo.message("come").locator(".mention", { hasText: `@Bo` }).waitFor();
});

test("who writes in a group is known by name before it is opened", async () => {
  const [user, other] = [on.name("new"), on.name("yan")];
  const [zoe, yan] = await Promise.all([
    Speaker.at(on.adda.url, on.name("zoe"), "Zoe Ray"), Speaker.at(on.adda.url, other, "Yan Li")]);
  const group = await zoe.group("Strangers", [user, other]);
  await zoe.say(group, "hello all");
  const person = await on.enter(user);
  const preview = person.row("Strangers").locator(".preview");
  await preview.getByText("Zoe Ray: hello all").waitFor();
  await yan.say(group, "hi");
  await preview.getByText("Yan Li: hi").waitFor();
});
