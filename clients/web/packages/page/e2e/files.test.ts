import { expect, test } from "vitest";

import { png } from "./png.js";
import { stage } from "./stage.js";
import { until, type Person } from "./world.js";

const on = stage();

async function attach(person: Person, name: string, mimeType: string, buffer: Buffer): Promise<void> {
  await person.page.locator("input[type=file]").setInputFiles({ name, mimeType, buffer });
  await person.page.locator(".chosen", { hasText: name }).waitFor();
}

test("an image is sent, seen, and takes its room before it is there", async () => {
  const { ann, ben } = await on.pair();
  await attach(ann, "wall.png", "image/png", png(300, 200));
  await ann.say("the wall");
  const image = ben.message("the wall").locator("img[data-loaded=true]");
  await image.waitFor();
  const box = (await ben.message("the wall").locator(".image").boundingBox())!;
  expect(box.width / box.height).toBeCloseTo(1.5, 1);
  await ann.tick("the wall", "read").waitFor();
  // Where there is less room it is smaller, and keeps its shape.
  await ben.page.setViewportSize({ width: 360, height: 740 });
  const [small, bubble] = [(await ben.message("the wall").locator(".image").boundingBox())!,
    (await ben.message("the wall").locator(".bubble").boundingBox())!];
  expect(small.width / small.height).toBeCloseTo(1.5, 1);
  expect(small.x + small.width).toBeLessThan(bubble.x + bubble.width);
});

test("a document is offered for download under its name", async () => {
  const { ann, ben } = await on.pair();
  const pdf = Buffer.from("%PDF-1.4\n1 0 obj<</Type/Catalog>>endobj\ntrailer<</Root 1 0 R>>\n%%EOF\n");
  await attach(ann, "plan.pdf", "application/pdf", pdf);
  await ann.page.getByRole("button", { name: "Send" }).click();
  const link = ben.page.getByRole("link", { name: "Download plan.pdf" });
  await link.waitFor();
  const [download] = await Promise.all([ben.page.waitForEvent("download"), link.click()]);
  expect(download.suggestedFilename()).toBe("plan.pdf");
});

test("an upload that is cut in the middle goes on where it was, and the message goes once", async () => {
  const { ann, ben } = await on.pair();
  const pdf = Buffer.concat([Buffer.from("%PDF-1.4\n"), Buffer.alloc(18_000_000, 32), Buffer.from("\n%%EOF\n")]);
  on.front.cutUploadAfter = 9_500_000;
  await attach(ann, "large.pdf", "application/pdf", pdf);
  await ann.say("large");
  await ben.message("large").waitFor({ timeout: 45_000 });
  expect(on.front.cutUploadAfter).toBeNull();
  expect(await ben.texts()).toEqual(["first", "large"]);
  await until(async () => (await ann.page.locator("[data-pending]").count()) === 0, "nothing waits");
});

test("a file that is not taken says so, and what is written behind it goes", async () => {
  const { ann, ben } = await on.pair();
  await attach(ann, "page.png", "image/png", Buffer.from("<html><script>alert(1)</script></html>"));
  await ann.say("no picture");
  await ann.say("behind it");
  await ben.message("behind it").waitFor();
  await ann.page.getByText("Files of this type cannot be sent.").waitFor();
  await ann.page.getByRole("button", { name: "Discard" }).click();
  await ann.message("no picture").waitFor({ state: "detached" });
});
