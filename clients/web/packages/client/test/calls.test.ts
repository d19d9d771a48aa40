import { afterEach, beforeEach, expect, test, vi } from "vitest";

import { Calls, Tokens } from "../src/calls.js";
import { REAL } from "../src/env.js";
import { FakeServer } from "./fake.js";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

test("a call ends in time, also where what carries it does not", async () => {
  const calls = new Calls(new FakeServer().transport, new Tokens(() => "token"), REAL);
  const ended = expect(calls.call(() => new Promise(() => {}), 1)).rejects.toMatchObject({ reason: "NETWORK" });
  await vi.advanceTimersByTimeAsync(20_000);
  await ended;
});
