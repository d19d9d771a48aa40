/** What a file of tests plays on: one server, one front, one browser; people who leave after each test. */

import type { Browser } from "playwright-core";
import { afterAll, afterEach, beforeAll, expect } from "vitest";

import { Front } from "./front.js";
import { Adda, Person, launch } from "./world.js";

export interface Stage {
  adda: Adda;
  front: Front;
  browser: Browser;
  enter(user: string, options?: Parameters<typeof Person.at>[3]): Promise<Person>;
  /** Two people who have a chat on screen in which one message was read; names that no other test uses. */
  pair(): Promise<{ ann: Person; ben: Person; annName: string; benName: string }>;
  /** A name that no other test uses. */
  name(base: string): string;
}

export function stage(): Stage {
  let people: Person[] = [];
  let n = 0;
  const set: Stage = {
    adda: undefined as unknown as Adda,
    front: undefined as unknown as Front,
    browser: undefined as unknown as Browser,
    name: (base) => `${base}${++n}`,
    enter: async (user, options) => {
      const person = await Person.at(set.browser, set.front, user, options);
      people.push(person);
      return person;
    },
    pair: async () => {
      const [a, b] = [set.name("ann"), set.name("ben")];
      const shown = (user: string): string => user.charAt(0).toUpperCase() + user.slice(1);
      const [ann, ben] = await Promise.all([set.enter(a), set.enter(b)]);
      await ann.talkTo(b);
      await ann.say("first");
      await ben.open(shown(a));
      await ann.tick("first", "read").waitFor();
      return { ann, ben, annName: shown(a), benName: shown(b) };
    },
  };
  beforeAll(async () => {
    [set.adda, set.browser] = await Promise.all([Adda.start(), launch()]);
    set.front = await Front.open(set.adda.url);
  });
  afterEach(async () => {
    const errors = people.flatMap((person) => person.errors);
    await Promise.all(people.map((person) => person.leave()));
    people = [];
    set.front.back();
    expect(errors).toEqual([]);
  });
  afterAll(async () => {
    await set.browser?.close();
    set.front?.close();
    await set.adda?.stop();
  });
  return set;
}
