import { afterAll, beforeAll, expect, test } from "vitest";

import { talk } from "../../client/example/talk.js";
import { Adda } from "./world.js";

let adda: Adda;
beforeAll(async () => { adda = await Adda.start(); });
afterAll(() => adda?.stop());

test("the example of the library does what it says, in Node", async () => {
  const lines: string[] = [];
  const token = async (user: string): Promise<string> => {
    const answer = await fetch(`${adda.url}/dev/token`, {
      method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify({ user, name: user }),
    });
    return ((await answer.json()) as { token: string }).token;
  };
  await talk(adda.url, token, (line) => lines.push(line));
  expect(lines).toEqual(["ben hears ann: hello", "ann sees two blue ticks"]);
});
