import { deflateSync } from "node:zlib";

import { expect, test } from "vitest";

import { stage } from "./stage.js";
import { until, type Person } from "./world.js";

const on = stage();

/** A PNG of one colour, as large as asked for. */
function png(width: number, height: number): Buffer {
  const table = Array.from({ length: 256 }, (_, n) => {
    let c = n;
    for (let k = 0; k < 8; k++) c = c & 1 ? 0xedb88320 ^ (c >>> 1) : c >>> 1;
    return c >>> 0;
  });
  const crc = (bytes: Buffer): number => ~bytes.reduce((c, byte) => table[(c ^ byte) & 255]! ^ (c >>> 8), ~0) >>> 0;
  const chunk = (name: string, data: Buffer): Buffer => {
    const body = Buffer.concat([Buffer.from(name), data]);
    const [size, sum] = [Buffer.alloc(4), Buffer.alloc(4)];
    size.writeUInt32BE(data.length);
    sum.writeUInt32BE(crc(body));
    return Buffer.concat([size, body, sum]);
  };
  const head = Buffer.alloc(13);
  head.writeUInt32BE(width, 0);
  head.writeUInt32BE(height, 4);
  head.set([8, 2, 0, 0, 0], 8);
  const row = Buffer.concat([Buffer.from([0]), Buffer.alloc(width * 3, 120)]);
  const pixels = deflateSync(Buffer.concat(Array.from({ length: height }, () => row)));
  return Buffer.concat([Buffer.from([137, 80, 78, 71, 13, 10, 26, 10]), chunk("IHDR", head), chunk("IDAT", pixels),
    chunk("IEND", Buffer.alloc(0))]);
}

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
