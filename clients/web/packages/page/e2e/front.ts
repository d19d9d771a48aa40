/**
 * What stands before the server in these tests: serves the built page with the Content-Security-Policy it is meant to
 * run under, hands everything else on, and can fail as networks do.
 */

import { createReadStream } from "node:fs";
import { stat } from "node:fs/promises";
import { createServer, request, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { extname, join, normalize } from "node:path";
import { fileURLToPath } from "node:url";

export const DIST = fileURLToPath(new URL("../dist", import.meta.url));

export const CSP = [
  "default-src 'none'", "script-src 'self'", "style-src 'self'", "img-src 'self' https: blob:", "media-src 'self' https:",
  "connect-src 'self'", "manifest-src 'self'", "base-uri 'none'", "form-action 'none'", "frame-ancestors 'none'",
].join("; ");

const TYPES: Record<string, string> = {
  ".html": "text/html; charset=utf-8", ".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml",
};

export class Front {
  private readonly sockets = new Set<Socket>();
  private away = false;
  /** Calls that were handed on, by their path. */
  readonly calls: string[] = [];
  /** Streams that are open now. */
  streams = 0;
  /** The next upload is cut after so many bytes. */
  cutUploadAfter: number | null = null;

  private constructor(private readonly server: Server, public backend: string) {
    server.on("connection", (socket: Socket) => {
      if (this.away) return socket.destroy();
      this.sockets.add(socket);
      socket.on("close", () => this.sockets.delete(socket));
    });
    server.on("request", (asked: IncomingMessage, answer: ServerResponse) => void this.serve(asked, answer));
  }

  static async open(backend: string): Promise<Front> {
    const server = createServer();
    const front = new Front(server, backend);
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    return front;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  /** Cuts all connections, and lets none in until `back`. */
  cut(): void {
    this.away = true;
    for (const socket of this.sockets) socket.destroy();
  }

  back(): void {
    this.away = false;
  }

  close(): void {
    this.cut();
    this.server.close();
  }

  private async serve(asked: IncomingMessage, answer: ServerResponse): Promise<void> {
    const path = new URL(asked.url ?? "/", "http://x").pathname;
    const file = join(DIST, normalize(path === "/" ? "/index.html" : path));
    const found = asked.method === "GET" && file.startsWith(DIST) && (await stat(file).catch(() => null))?.isFile();
    if (!found) return this.hand(asked, answer, path);
    answer.writeHead(200, {
      "content-type": TYPES[extname(file)] ?? "application/octet-stream",
      "content-security-policy": CSP,
      "x-content-type-options": "nosniff",
      "referrer-policy": "no-referrer",
    });
    createReadStream(file).pipe(answer);
  }

  private hand(asked: IncomingMessage, answer: ServerResponse, path: string): void {
    this.calls.push(path);
    const stream = path.endsWith("/Subscribe");
    const to = new URL(asked.url ?? "/", this.backend);
    const on = request(to, { method: asked.method, headers: { ...asked.headers, host: to.host } }, (got) => {
      answer.writeHead(got.statusCode ?? 502, got.headers);
      answer.flushHeaders();
      if (stream) {
        this.streams++;
        got.on("close", () => this.streams--);
      }
      got.on("error", () => answer.destroy());
      got.pipe(answer);
    });
    on.on("error", () => (answer.headersSent ? answer.destroy() : answer.writeHead(502).end()));
    answer.on("close", () => on.destroy());
    let sent = 0;
    asked.on("data", (chunk: Buffer) => {
      sent += chunk.length;
      if (asked.method === "PUT" && this.cutUploadAfter !== null && sent > this.cutUploadAfter) {
        this.cutUploadAfter = null;
        on.destroy();
        asked.destroy();
      }
    });
    asked.pipe(on);
  }
}
