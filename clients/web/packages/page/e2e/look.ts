/**
 * Screenshots for people: a talk with everything in it, and what a user missed, at three widths, light and dark, in both
 * languages. Writes them where it is told: `npm run look -- DIR`.
 */

import { mkdir } from "node:fs/promises";

import type { Browser } from "playwright-core";

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

/** Mitu was away: all kinds of notifications, one of them seen. */
async function missed(server: string): Promise<void> {
  const [mitu, tanvir, sadia, alex, nil] = await Promise.all([
    Speaker.at(server, "mitu", "Mitu Das"), Speaker.at(server, "tanvir", "তানভীর হাসান"),
    Speaker.at(server, "sadia", "Sadia Karim"), Speaker.at(server, "alex", "Alex Moreau"),
    Speaker.at(server, "nil", "নীলাঞ্জনা চট্টোপাধ্যায় বন্দ্যোপাধ্যায়"),
  ]);
  const river = await alex.group("River walk", ["mitu", "sadia"]);
  await mitu.read(river, (await alex.say(river, "Saturday at six?")).seq);
  const group = await tanvir.group("Friday adda ☕", ["mitu", "sadia", "alex"]);
  const mine = await mitu.say(group, "I have the key.");
  for (const [who, emoji] of [[alex, "👍"], [sadia, "🎉"]] as const) await who.react(group, mine.messageId, emoji);
  await tanvir.say(group, "@mitu, চাবিটা কার কাছে?", "", ["mitu"]);
  const long = await nil.group("বিশ্ববিদ্যালয়ের পুরোনো বন্ধুদের সাপ্তাহিক সাহিত্যসভা ও চায়ের আসর", ["mitu"]);
  await nil.say(long, "শুভেচ্ছা সবাইকে");
  const direct = await sadia.direct("mitu");
  for (const text of ["Are you there?", "The train is late.", "I'll call you."]) await sadia.say(direct, text);
}

type Look = Pick<NonNullable<Parameters<Browser["newContext"]>[0]>, "viewport" | "colorScheme">;

/** The bell, its list, how one wants to be told, and where there is nothing yet. */
async function notices(look: Look, name: string): Promise<void> {
  const mitu = await Person.at(browser, front, "mitu", look);
  const { page } = mitu;
  const shoot = (what: string): Promise<unknown> =>
    page.screenshot({ path: `${OUT}/${what}-${name}.png`, animations: "disabled" });
  const bell = page.locator(".bell");
  await mitu.row("Sadia").waitFor();
  await bell.locator(".badge", { hasText: /^[6-9]$/ }).waitFor();
  await shoot("bell");
  await bell.click();
  await page.locator(".notices li").nth(5).waitFor();
  await shoot("notices");
  await page.keyboard.press("Tab");
  await shoot("notices-focus");
  await page.keyboard.press("Escape");
  await page.getByRole("button", { name: "Settings" }).click();
  if (await page.locator(".window").count() === 0) await page.getByRole("button", { name: "Add quiet hours" }).click();
  await page.locator(".window").first().waitFor();
  await page.getByText("Mentions of me").scrollIntoViewIfNeeded();
  await shoot("wishes");
  await page.getByLabel("Language").selectOption("bn");
  // The page is drawn anew.
  await page.getByRole("button", { name: "সেটিংস" }).click();
  await page.locator(".window").first().scrollIntoViewIfNeeded();
  await shoot("wishes-bn");
  await page.keyboard.press("Escape");
  await bell.click();
  await page.locator(".notices li").nth(5).waitFor();
  await shoot("notices-bn");
  await mitu.leave();
  const none = await Person.at(browser, front, "newcomer", look);
  await none.page.locator(".bell").click();
  await none.page.locator(".notices p").waitFor();
  await none.page.screenshot({ path: `${OUT}/notices-none-${name}.png`, animations: "disabled" });
  await none.leave();
}

const adda = await Adda.start();
const front = await Front.open(adda.url);
const browser = await launch();
await mkdir(OUT, { recursive: true });
try {
  await talk(adda.url);
  await missed(adda.url);
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
      await notices({ viewport: { width, height }, colorScheme: scheme }, `${width}-${scheme}`);
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
