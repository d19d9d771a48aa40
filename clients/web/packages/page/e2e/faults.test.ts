/** The library in Node over links that fail: what was written is there once, in order, whatever happens on the way. */

import { Adda as Client, messageAt, select } from "@adda/client";
import { afterAll, beforeAll, expect, test } from "vitest";

import { Link } from "./link.js";
import { Adda, until } from "./world.js";

/** So long between two messages of one. */
const PAUSE = 200;

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

async function enter(user: string, link: Link): Promise<Client> {
  const signed = await token(user);
  const client = await Client.open({ server: link.url, user, token: () => signed });
  // What comes is on a screen at once.
  client.onChange(() => {
    for (const { chatId, lastSeq } of client.state.chats.values()) {
      if (lastSeq > 0) client.seen(chatId, 1, lastSeq);
    }
  });
  return client;
}

const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** Answers how many. */
async function write(client: Client, chat: string, goesOn: () => boolean): Promise<number> {
  let n = 0;
  for (; goesOn(); n++) {
    await client.send(chat, { text: `${client.me} ${n}` });
    await sleep(PAUSE);
  }
  return n;
}

/** What befalls the links, one after the other, each once all have come back from the one before. */
async function harm(links: readonly Link[], clients: readonly Client[]): Promise<void> {
  const [anns, bens] = links as [Link, Link];
  const back = (): Promise<void> =>
    until(() => clients.every((client) => client.state.link.kind === "up"), "all are back", 60_000);
  // Who has noticed may have a stream again before anybody has looked: it is another one then.
  const session = ({ state: { link } }: Client): string | null => (link.kind === "up" ? link.sessionId : null);
  const noticed = async (who: readonly Client[], what: string, befalls: () => void): Promise<void> => {
    const before = who.map(session);
    befalls();
    await Promise.all(who.map((client, at) =>
      until(() => session(client) !== before[at], `${client.me} notices ${what}`)));
  };
  await back();
  await noticed(clients, "a cut", () => links.forEach((link) => link.cut()));
  await back();
  anns.refuse(true);
  await sleep(2_000);
  anns.refuse(false);
  await back();
  bens.delay = 200;
  await sleep(1_500);
  await noticed(clients.slice(1), "a cut", () => {
    bens.cut();
    bens.delay = 0;
  });
  await back();
  await noticed(clients, "silence", () => links.forEach((link) => link.freeze()));
  await back();
  await adda.kill();
  await sleep(1_000);
  await adda.up();
  await back();
}

/** What a client has of a chat, in the order it is shown. */
async function texts(client: Client, chat: string): Promise<string[]> {
  const last = client.state.chats.get(chat)?.lastSeq ?? 0;
  await client.load(chat, 1, last).catch(() => {});
  return Array.from({ length: last }, (_, i) => messageAt(client.state, chat, i + 1)?.text ?? "?");
}

test("over links that are cut, refused, slow or dead, while a server is killed, nothing is lost or doubled", async () => {
  const links = await Promise.all([Link.to(adda.port), Link.to(adda.port)]);
  const [ann, ben] = await Promise.all([enter("ann", links[0]!), enter("ben", links[1]!)]);
  try {
    const chat = await ann.openDirect("ben");
    expect(await ben.openDirect("ann")).toBe(chat);
    const shown = [ann.show(chat), ben.show(chat)];
    let goesOn = true;
    const harmed = harm(links, [ann, ben]).finally(() => { goesOn = false; });
    const writing = [ann, ben].map((client) => write(client, chat, () => goesOn));
    await harmed;
    const counts = new Map([["ann", await writing[0]!], ["ben", await writing[1]!]]);
    const all = counts.get("ann")! + counts.get("ben")!;
    for (const client of [ann, ben]) {
      await until(() => select.pendingIn(client.state, chat).length === 0, `all of ${client.me} went out`, 60_000);
      await until(() => client.state.chats.get(chat)?.lastSeq === all, `${client.me} heard of all`, 60_000);
    }
    const [seen, same] = [await texts(ann, chat), await texts(ben, chat)];
    expect(seen).toEqual(same);
    for (const [user, count] of counts) {
      const written = Array.from({ length: count }, (_, n) => `${user} ${n}`);
      expect(seen.filter((text) => text.startsWith(user))).toEqual(written);
    }
    for (const client of [ann, ben]) {
      await until(async () => {
        await texts(client, chat);
        return Array.from({ length: all }, (_, i) => messageAt(client.state, chat, i + 1)!)
          .every((message) => message.senderId !== client.me || select.tick(client.state, message) === 3);
      }, `${client.me} sees that all was read`, 60_000);
      expect(select.unread(client.state, chat)).toBe(0);
    }
    for (const each of shown) each.close();
  } finally {
    ann.close();
    ben.close();
    for (const link of links) link.close();
  }
}, 180_000);
