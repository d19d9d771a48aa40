/** A real server, a real browser, and people in it. */

import { spawn, type ChildProcess } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";

import { chromium, type Browser, type BrowserContext, type Locator, type Page } from "playwright-core";

import { start, type Backends, type Pair } from "./backends.js";
import type { Front } from "./front.js";
import { DIST, ROOT, freePort, until } from "./ground.js";

export { until };

const BIN = process.env["ADDA_BIN"] ?? join(ROOT, "target/debug/adda");
const CHROMIUM = process.env["CHROMIUM"] ?? ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"]
  .find((path) => existsSync(path)) ?? "/usr/bin/chromium";

/** A server that keeps its port and its store over restarts. */
export class Adda {
  private child: ChildProcess | null = null;

  private constructor(readonly port: number, private readonly args: readonly string[], private readonly on: Backends) {}

  static async start(more: readonly string[] = []): Promise<Adda> {
    const on = await start((process.env["ADDA_E2E_PAIR"] ?? "sqlite") as Pair);
    const port = await freePort();
    const args = ["serve", "--dev", "--listen", `127.0.0.1:${port}`, "--page", DIST, "--presence-grace", "1s",
      "--rate-limits", "off", "--attachments", `file:${join(on.dir, "attachments")}`, ...on.flags,
      ...more];
    const adda = new Adda(port, args, on);
    await adda.up();
    return adda;
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  async up(): Promise<void> {
    const env: NodeJS.ProcessEnv = { ...process.env };
    for (const name of ["ADDA_STORE", "ADDA_BUS", "MONGODB_URI", "REDIS_URL", "JWT_SECRET"]) delete env[name];
    const log = process.env["ADDA_LOG_SHOWN"] ? "inherit" : "ignore";
    const child = spawn(BIN, this.args, { stdio: ["ignore", "ignore", log], env, cwd: this.on.dir });
    this.child = child;
    child.on("error", (error) => console.error(`no server at ${BIN}: ${error.message}`));
    await until(async () => (await fetch(`${this.url}/readyz`).catch(() => null))?.ok === true, "the server is ready");
  }

  /** Without a word, as `kill -9` does. */
  async kill(): Promise<void> {
    const { child } = this;
    this.child = null;
    if (!child) return;
    const ended = new Promise((resolve) => child.once("exit", resolve));
    child.kill("SIGKILL");
    await ended;
  }

  /** Writes so many messages past the server into one group of two, whom it names: who reads, who wrote. */
  async fill(messages: number): Promise<readonly [string, string]> {
    await this.kill();
    const store = this.on.flags[this.on.flags.indexOf("--store") + 1]!;
    const args = ["load", "--name", "web", "fill", "--store", store, "--chats", "1", "--messages", `${messages}`];
    const child = spawn(BIN, args, { stdio: ["ignore", "ignore", "inherit"], cwd: this.on.dir });
    const code = await new Promise((resolve) => child.once("exit", resolve));
    if (code !== 0) throw new Error(`adda ${args.join(" ")} ended with ${code}`);
    await this.up();
    return ["web-h0", "web-h1"];
  }

  async stop(): Promise<void> {
    await this.kill();
    await this.on.stop();
  }
}

export function launch(): Promise<Browser> {
  return chromium.launch({
    executablePath: CHROMIUM,
    args: ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-dev-shm-usage"],
  });
}

/** One person at one browser. */
export class Person {
  readonly errors: string[] = [];

  private constructor(readonly user: string, readonly context: BrowserContext, readonly page: Page) {
    this.watch(page);
  }

  static async at(browser: Browser, front: Front, user: string, options: Parameters<Browser["newContext"]>[0] = {}): Promise<Person> {
    const context = await browser.newContext({ locale: "en-GB", ...options });
    const person = new Person(user, context, await context.newPage());
    await person.page.goto(front.url);
    await person.page.getByLabel("User name").fill(user);
    await person.page.getByLabel("Your name").fill(user.charAt(0).toUpperCase() + user.slice(1));
    await person.page.getByRole("button", { name: "Start talking" }).click();
    await person.page.getByRole("heading", { name: "Chats" }).waitFor();
    await person.up();
    return person;
  }

  /** What the console complains of fails the test. */
  private watch(page: Page): void {
    page.on("pageerror", (error) => this.errors.push(String(error)));
    page.on("console", (message) => {
      const text = message.text();
      // A server that is away is in the console whatever a page does; what must not be there is everything else.
      if (message.type() === "error" && !/Failed to load resource|net::ERR_/.test(text)) this.errors.push(text);
    });
  }

  /** The stream is open. */
  async up(page: Page = this.page): Promise<void> {
    type Shown = { adda?: { state: { link: { kind: string } } } };
    await until(() => page.evaluate(() => (window as Shown).adda?.state.link.kind === "up"), "the stream is open");
  }

  /** Another tab of the same browser. */
  async tab(front: Front): Promise<Page> {
    const page = await this.context.newPage();
    this.watch(page);
    await page.goto(front.url);
    await this.up(page);
    return page;
  }

  /** Opens the direct chat with somebody, made if there is none. */
  async talkTo(user: string): Promise<void> {
    await this.page.getByRole("button", { name: "New chat" }).click();
    await this.page.getByRole("dialog").getByLabel("User name").fill(user);
    await this.page.getByRole("button", { name: "Start", exact: true }).click();
    // Until then another chat may be on screen.
    await this.page.getByRole("dialog").waitFor({ state: "detached" });
    await this.box.waitFor();
  }

  async open(title: string): Promise<void> {
    await this.row(title).click();
    await this.box.waitFor();
  }

  async say(text: string): Promise<void> {
    await this.box.fill(text);
    await this.box.press("Enter");
  }

  get box(): Locator {
    return this.page.locator("textarea");
  }

  row(title: string): Locator {
    return this.page.locator(".inbox li", { has: this.page.locator("strong", { hasText: title }) }).first();
  }

  message(text: string): Locator {
    return this.page.locator(".message", { hasText: text });
  }

  /** How far an own message has come, as it is said to who does not see it. */
  tick(text: string, name: "sent" | "delivered" | "read" | "waiting to be sent"): Locator {
    return this.message(text).getByRole("img", { name, exact: true });
  }

  /** All texts of the conversation, in the order they stand there. */
  texts(page: Page = this.page): Promise<string[]> {
    return page.locator(".message .text").allInnerTexts().then((all) => all.map((text) => text.trim()));
  }

  async leave(): Promise<void> {
    await this.context.close();
  }
}
