import { afterEach, beforeEach, expect, test, vi } from "vitest";

import type { PendingFile } from "../src/model.js";
import type { Core } from "../src/session/core.js";
import { upload } from "../src/session/upload.js";

const core = { server: "http://adda.test" } as Core;
const file: PendingFile = {
  name: "a.txt", type: "text/plain", size: 4, blob: new Blob(["adda"]), attachmentId: "a1", uploadUrl: "/upload/a1",
  partBytes: 0, sent: 0,
};

beforeEach(() => void vi.useFakeTimers());
afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

test.each(["HEAD", "PUT"])("an upload whose %s nobody answers ends, to be tried again", async (silent) => {
  vi.stubGlobal("fetch", (_: string, { method }: RequestInit) =>
    method === silent ? new Promise(() => {}) : Promise.resolve(new Response(null, { status: 200 })));
  const ended = expect(upload(core, file, async () => {}, () => {})).rejects
    .toMatchObject({ reason: "NETWORK", retryAfter: 1_000 });
  await vi.advanceTimersByTimeAsync(300_000);
  await ended;
});
