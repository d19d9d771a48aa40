/** One file to the server, in parts, taken up again where it was cut. */

import { inTime } from "../env.js";
import { AddaError } from "../errors.js";
import type { PendingFile } from "../model.js";
import type { Core } from "./core.js";

/** A part that no byte moved of for so long is given up, and asked about. */
const STALLED = 30_000;
/** The same where none can be seen to move: a whole part in this time. */
const PART = 240_000;

/**
 * Uploads what lacks of a file. `keep` is told what must outlive a crash of the tab, `sent` how many bytes are there.
 *
 * Throws `AddaError`.
 */
export async function upload(
  core: Core,
  file: PendingFile,
  keep: (file: PendingFile) => Promise<void>,
  sent: (bytes: number) => void,
): Promise<void> {
  let at = file;
  if (!at.uploadUrl) {
    const description = { fileName: file.name, contentType: file.type, sizeBytes: file.size };
    const opened = await core.calls.call((options) => core.calls.files.createUpload({ description }, options), 1);
    at = { ...at, attachmentId: opened.attachmentId, uploadUrl: opened.uploadUrl, partBytes: opened.partBytes };
    await keep(at);
  } else if (at.sent < at.size) {
    const there = await offset(core, at);
    if (there === null) {
      // The upload is gone: another, from the start.
      return upload(core, { ...at, uploadUrl: "", attachmentId: "", sent: 0 }, keep, sent);
    }
    at = { ...at, sent: there };
  }
  sent(at.sent);
  const part = at.partBytes > 0 ? at.partBytes : at.size;
  while (at.sent < at.size) {
    const first = at.sent;
    const end = Math.min(first + part, at.size);
    const range = at.size > part ? `bytes ${first}-${end - 1}/${at.size}` : null;
    await put(core.server + at.uploadUrl, at.blob.slice(first, end), range, (bytes) => sent(first + bytes));
    at = { ...at, sent: end };
    await keep(at);
    sent(end);
  }
}

/** How many bytes the server has; `null`: it does not know the upload. */
async function offset(core: Core, file: PendingFile): Promise<number | null> {
  const answer = await ask(core.server + file.uploadUrl, { method: "HEAD" }, STALLED);
  if (answer.status === 404 || answer.status === 410 || answer.status === 403) return null;
  const there = Number(answer.headers.get("upload-offset") ?? "0");
  return Number.isSafeInteger(there) && there >= 0 ? Math.min(there, file.size) : 0;
}

async function ask(url: string, what: RequestInit, ms: number): Promise<Response> {
  return inTime(ms, (signal) => fetch(url, { ...what, signal })).catch(() => Promise.reject(cut()));
}

function cut(): AddaError {
  const message = "the upload was cut";
  return new AddaError({ reason: "NETWORK", message, field: "", metadata: {}, requestId: "", retryAfter: 1_000 });
}

/** What a refusal says, as JSON; a server that is busy or away is tried again. */
function refused(status: number, body: string): AddaError {
  let said: { reason?: unknown; message?: unknown } = {};
  try {
    said = JSON.parse(body) as typeof said;
  } catch {
    // From something between client and server.
  }
  const again = status >= 500 || status === 429 || status === 408 || status === 409;
  return new AddaError({
    reason: typeof said.reason === "string" ? said.reason : "NETWORK",
    message: typeof said.message === "string" ? said.message : `the upload was answered with ${status}`,
    field: "",
    metadata: {},
    requestId: "",
    retryAfter: again ? 1_000 : null,
  });
}

async function put(url: string, body: Blob, range: string | null, moved: (bytes: number) => void): Promise<void> {
  if (typeof XMLHttpRequest === "undefined") {
    const headers: Record<string, string> = range ? { "content-range": range } : {};
    const answer = await ask(url, { method: "PUT", body, headers }, PART);
    if (!answer.ok) throw refused(answer.status, await answer.text());
    return;
  }
  // Of the two only this one tells how far it has come.
  await new Promise<void>((resolve, reject) => {
    const request = new XMLHttpRequest();
    let stalled = setTimeout(() => request.abort(), STALLED);
    request.upload.onprogress = ({ loaded }) => {
      clearTimeout(stalled);
      stalled = setTimeout(() => request.abort(), STALLED);
      moved(loaded);
    };
    request.onloadend = () => {
      clearTimeout(stalled);
      if (request.status === 0) reject(cut());
      else if (request.status >= 200 && request.status < 300) resolve();
      else reject(refused(request.status, request.responseText));
    };
    request.open("PUT", url);
    if (range) request.setRequestHeader("content-range", range);
    request.send(body);
  });
}
