/**
 * Screenshots for people: a talk with everything in it, at three widths, light and dark, in both languages. Writes them
 * where it is told: `npm run look -- DIR`.
 */

import { mkdir } from "node:fs/promises";

import { Front } from "./front.js";
import { png, type Paint } from "./png.js";
import { Speaker } from "./speaker.js";
import { Adda, Person, launch } from "./world.js";

const OUT = process.argv[2] ?? "shots";
const WIDTHS = [[360, 740], [768, 1024], [1440, 900]] as const;

/** An evening over a river. */
const evening: Paint = (x, y) => {
  const sun = Math.hypot((x - 0.66) * 1.6, y - 0.52) < 0.1 && y < 0.58;
  if (sun) return [255, 226, 160];
  if (y < 0.58) return [250 - 70 * (0.58 - y), 150 + 60 * y, 110 + 90 * (0.58 - y)];
  const glint = Math.abs(x - 0.66) < 0.02 + (y - 0.58) * 0.18 && Math.sin(y * 160) > 0.1;
  return glint ? [248, 200, 150] : [96 - 60 * (y - 0.58), 92 - 20 * (y - 0.58), 112];
};

async function talk(server: string): Promise<void> {
  const [rumi, tanvir, ma, sadia, alex] = await Promise.all([
    Speaker.at(server, "rumi", "Rumi Ahmed"), Speaker.at(server, "tanvir", "তানভীর হাসান"), Speaker.at(server, "ma", "Ma"),
    Speaker.at(server, "sadia", "Sadia Karim"), Speaker.at(server, "alex", "Alex Moreau"),
  ]);
  const direct = await sadia.direct("rumi");
  const lines: [Speaker, string][] = [
    [sadia, "Did you see the rain this morning? The whole lane was a river 🌧️"],
    [rumi, "I did! I was standing at the tea stall for an hour, nobody could leave."],
    [rumi, "Best hour of the week, honestly."],
    [sadia, "Ha. What did you all talk about?"],
    [rumi, "Everything. Cricket, the price of hilsa, whether poems should rhyme. Karim bhai says they must, and that he has a proof."],
    [sadia, "আমি থাকলে তর্ক করতাম! কবিতা মানেই ছন্দ নয়।"],
    [rumi, "তাহলে কাল এসো। বিকেল পাঁচটায়, একই জায়গায়।"],
    [sadia, "Five it is. I'll bring the book: https://example.org/poems/free-verse?page=12"],
    [sadia, "👍"],
  ];
  let last = { messageId: "", seq: 0 };
  for (const [who, text] of lines) {
    last = await who.say(direct, text);
    if (text.startsWith("Everything")) await sadia.react(direct, last.messageId, "😂");
  }
  await rumi.say(direct, "Bring an umbrella, too.", last.messageId);
  const done = await rumi.say(direct, "See you tomorrow!");
  await sadia.read(direct, done.seq);
  const group = await tanvir.group("Friday adda ☕", ["rumi", "sadia", "alex"]);
  await tanvir.say(group, "কে কে আসছে শুক্রবার?");
  await alex.say(group, "Me, if the train is on time.");
  await sadia.say(group, "I'm bringing muri and chanachur.");
  const house = await ma.direct("rumi");
  await ma.say(house, "Have you eaten?");
  await ma.say(house, "Call me when you are home.");
  const late = await alex.direct("rumi");
  await rumi.say(late, "The slides are in the shared folder.");
}

const adda = await Adda.start();
const front = await Front.open(adda.url);
const browser = await launch();
await mkdir(OUT, { recursive: true });
try {
  await talk(adda.url);
  const sadia = await Person.at(browser, front, "sadia");
  await sadia.open("Rumi");
  await sadia.page.locator("input[type=file]").setInputFiles({
    name: "river.png", mimeType: "image/png", buffer: png(720, 480, evening),
  });
  await sadia.page.locator(".chosen", { hasText: "river.png" }).waitFor();
  await sadia.say("The river, yesterday");
  await sadia.tick("The river", "sent").waitFor();
  await sadia.page.evaluate("history.replaceState(null, '', '#')").catch(() => {});
  for (const scheme of ["light", "dark"] as const) {
    for (const [width, height] of WIDTHS) {
      const rumi = await Person.at(browser, front, "rumi", {
        viewport: { width, height }, colorScheme: scheme, deviceScaleFactor: 1,
      });
      const shoot = (name: string): Promise<unknown> =>
        rumi.page.screenshot({ path: `${OUT}/${name}-${width}-${scheme}.png`, animations: "disabled" });
      await rumi.row("Sadia").waitFor();
      await shoot("inbox");
      await rumi.open("Sadia");
      await rumi.message("The river").locator("img[data-loaded=true]").waitFor();
      await sadia.open("Rumi");
      await sadia.box.pressSequentially("On my");
      await rumi.page.locator(".typing[data-on=true]").waitFor();
      await shoot("talk");
      await rumi.message("Five it is").hover();
      await rumi.message("Five it is").getByRole("button", { name: "Actions for this message" }).click();
      await shoot("menu");
      await rumi.page.keyboard.press("Escape");
      if (width === 360) await rumi.page.getByRole("button", { name: "Back to chats" }).click();
      await rumi.open("Friday adda");
      await rumi.message("muri").waitFor();
      await shoot("group");
      await rumi.page.getByRole("button", { name: "About this chat" }).click();
      await shoot("details");
      await rumi.page.keyboard.press("Escape");
      await rumi.page.getByRole("button", { name: "Emoji" }).click();
      await shoot("emoji");
      await rumi.page.keyboard.press("Escape");
      if (width === 360) await rumi.page.getByRole("button", { name: "Back to chats" }).click();
      await rumi.page.getByRole("button", { name: "Settings" }).click();
      await shoot("settings");
      await rumi.page.getByLabel("Language").selectOption("bn");
      await rumi.page.keyboard.press("Escape");
      await shoot("bengali");
      await rumi.leave();
      await sadia.page.goto(front.url);
    }
    const context = await browser.newContext({ viewport: { width: 1440, height: 900 }, colorScheme: scheme });
    const page = await context.newPage();
    await page.goto(front.url);
    await page.getByLabel("User name").waitFor();
    await page.screenshot({ path: `${OUT}/sign-in-1440-${scheme}.png` });
    await context.close();
  }
} finally {
  await browser.close();
  front.close();
  await adda.stop();
}
