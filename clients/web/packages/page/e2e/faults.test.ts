/** The library in Node, over a link that fails: whatever happens on the way, what was written is there once, in order. */

import { Adda as Client, messageAt, select } from "@adda/client";
import { afterAll, beforeAll, expect, test } from "vitest";

import { Link } from "./link.js";
import { Adda, until } from "./world.js";

/** How many each of the two writes, and so long between two: they write while everything below happens. */
const EACH = 60;
const PAUSE = 300;

let adda: Adda;
beforeAll(async () => {
  // Short times, so that silence is noticed soon.
  adda = await Adda.start(["--subscribe-heartbeat", "1s", "--subscribe-heartbeat-timeout", "3s"]);
});
afterAll(() => adda?.stop());

async function token(user: string): Promise<string> {
  const answer = await fetch(`${adda.url}/dev/token`, {
    method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify({ user, name: user }),
  });
  return ((await answer.json()) as { token: string }).token;
}

/** How often each lost their stream. */
const lost = new Map<string, number>();

async function enter(user: string, link: Link): Promise<Client> {
  const signed = await token(user);
  const client = await Client.open({ server: link.url, user, token: () => signed });
  let was = "";
  // What comes is on a screen at once.
  client.onChange(() => {
    const { kind } = client.state.link;
    if (was === "up" && kind !== "up") lost.set(user, (lost.get(user) ?? 0) + 1);
    was = kind;
    for (const { chatId, lastSeq } of client.state.chats.values()) {
      if (lastSeq > 0) client.seen(chatId, 1, lastSeq);
    }
  });
  return client;
}

const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

async function write(client: Client, chat: string): Promise<void> {
  for (let n = 0; n < EACH; n++) {
    await client.send(chat, { text: `${client.me} ${n}` });
    await sleep(PAUSE);
  }
}

/** What befalls the links, one after the other. */
async function harm(links: readonly Link[]): Promise<void> {
  const [anns, bens] = links as [Link, Link];
  for (const link of links) link.cut();
  await sleep(1_000);
  anns.refuse(true);
  await sleep(2_000);
  anns.refuse(false);
  bens.delay = 200;
  await sleep(2_000);
  bens.cut();
  bens.delay = 0;
  await sleep(500);
  bens.freeze();
  await sleep(1_000);
  anns.freeze();
  await sleep(4_500);
  await adda.kill();
  await sleep(1_000);
  await adda.up();
  await sleep(1_000);
  for (const link of links) link.cut();
}

/** What a client has of a chat, in the order it is shown. */
async function texts(client: Client, chat: string): Promise<string[]> {
  const last = client.state.chats.get(chat)?.lastSeq ?? 0;
  await client.load(chat, 1, last).catch(() => {});
  return Array.from({ length: last }, (_, i) => messageAt(client.state, chat, i + 1)?.text ?? "?");
}

test("over links that are cut, refused, slow and dead, and a server that is killed, nothing is lost or doubled", async () => {
  const links = await Promise.all([Link.to(adda.port), Link.to(adda.port)]);
  const [ann, ben] = await Promise.all([enter("ann", links[0]!), enter("ben", links[1]!)]);
  try {
    const chat = await ann.openDirect("ben");
    expect(await ben.openDirect("ann")).toBe(chat);
    const shown = [ann.show(chat), ben.show(chat)];
    await Promise.all([write(ann, chat), write(ben, chat), harm(links)]);
    for (const client of [ann, ben]) {
      await until(() => select.pendingIn(client.state, chat).length === 0, `all of ${client.me} went out`, 60_000);
      await until(() => client.state.chats.get(chat)?.lastSeq === 2 * EACH, `${client.me} heard of all`, 60_000);
    }
    const [seen, same] = [await texts(ann, chat), await texts(ben, chat)];
    expect(seen).toEqual(same);
    for (const user of ["ann", "ben"]) {
      expect(seen.filter((text) => text.startsWith(user))).toEqual(Array.from({ length: EACH }, (_, n) => `${user} ${n}`));
    }
    for (const client of [ann, ben]) {
      await until(async () => {
        await texts(client, chat);
        return Array.from({ length: 2 * EACH }, (_, i) => messageAt(client.state, chat, i + 1)!)
          .every((message) => message.senderId !== client.me || select.tick(client.state, message) === 3);
      }, `${client.me} sees that all was read`, 60_000);
      expect(select.unread(client.state, chat)).toBe(0);
      expect(lost.get(client.me)).toBeGreaterThanOrEqual(4);
    }
    for (const each of shown) each.close();
  } finally {
    ann.close();
    ben.close();
    for (const link of links) link.close();
  }
}, 180_000);
