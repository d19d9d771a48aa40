/**
 * What a server keeps things in: SQLite and its own memory, or a MongoDB replica set and Redis, started here. Where
 * those cannot be had, their tests are skipped aloud, and fail under CI=true.
 */

import { spawn, type ChildProcess } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";

import { MongoClient } from "mongodb";

import { ROOT, freePort, until } from "./ground.js";

export type Pair = "sqlite" | "mongodb";

export interface Backends {
  /** A folder of its own, which goes with it. */
  readonly dir: string;
  readonly flags: readonly string[];
  stop(): Promise<void>;
}

function find(name: string): string | null {
  const folders = [...(process.env["PATH"] ?? "").split(delimiter), join(ROOT, ".tools")];
  return folders.map((folder) => join(folder, name)).find((path) => existsSync(path)) ?? null;
}

/** The pairs that can be had here. */
export function pairs(): readonly Pair[] {
  const lacks = ["mongod", "redis-server"].filter((name) => find(name) === null);
  if (lacks.length === 0) return ["sqlite", "mongodb"];
  const what = `no ${lacks.join(" and no ")} (make tools)`;
  if (process.env["CI"] === "true") throw new Error(`${what}, and CI does not skip`);
  console.warn(`skipped: MongoDB and Redis: ${what}`);
  return ["sqlite"];
}

export async function start(pair: Pair): Promise<Backends> {
  const dir = await mkdtemp(join(tmpdir(), "adda-web-"));
  if (pair === "sqlite") {
    return {
      dir,
      flags: ["--store", `sqlite:${join(dir, "adda.db")}`, "--bus", "memory:"],
      stop: () => rm(dir, { recursive: true, force: true }),
    };
  }
  const [mongo, redis] = [await freePort(), await freePort()];
  const children = [
    run("mongod", ["--port", `${mongo}`, "--dbpath", dir, "--replSet", "adda", "--bind_ip", "127.0.0.1",
      "--wiredTigerCacheSizeGB", "0.25", "--wiredTigerEngineConfigString", "log=(file_max=16MB,prealloc=false)",
      "--unixSocketPrefix", dir, "--nounixsocket"]),
    run("redis-server", ["--port", `${redis}`, "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir", dir]),
  ];
  await initiate(mongo);
  return {
    dir,
    flags: ["--store", `mongodb://127.0.0.1:${mongo}/adda?replicaSet=adda`, "--bus", `redis://127.0.0.1:${redis}`],
    stop: async () => {
      await Promise.all(children.map(kill));
      await rm(dir, { recursive: true, force: true });
    },
  };
}

function run(name: string, args: readonly string[]): ChildProcess {
  return spawn(find(name)!, args, { stdio: "ignore" });
}

async function kill(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null) return;
  const ended = new Promise((resolve) => child.once("exit", resolve));
  child.kill("SIGKILL");
  await ended;
}

async function initiate(port: number): Promise<void> {
  const host = `127.0.0.1:${port}`;
  const client = new MongoClient(`mongodb://${host}/?directConnection=true&serverSelectionTimeoutMS=20000`);
  try {
    const admin = (await client.connect()).db("admin");
    await admin.command({ replSetInitiate: { _id: "adda", members: [{ _id: 0, host }] } });
    await until(async () => (await admin.command({ hello: 1 }))["isWritablePrimary"] === true, "mongod is primary");
  } finally {
    await client.close();
  }
}
