/** What stands before the server in these tests: hands everything on, and can fail as networks do. */

import { createServer, request, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo, Socket } from "node:net";

export class Front {
  private readonly sockets = new Set<Socket>();
  private away = false;
  /** Streams that are open now. */
  streams = 0;
  /** Uploads are cut once, after so many bytes of all of them. */
  cutUploadAfter: number | null = null;

  private constructor(private readonly server: Server, public backend: string) {
    server.on("connection", (socket: Socket) => {
      if (this.away) return socket.destroy();
      this.sockets.add(socket);
      socket.on("close", () => this.sockets.delete(socket));
    });
    server.on("request", (asked: IncomingMessage, answer: ServerResponse) => this.hand(asked, answer));
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

  private hand(asked: IncomingMessage, answer: ServerResponse): void {
    const stream = asked.url?.endsWith("/Subscribe");
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
    asked.on("data", (chunk: Buffer) => {
      if (asked.method !== "PUT" || this.cutUploadAfter === null) return;
      this.cutUploadAfter -= chunk.length;
      if (this.cutUploadAfter < 0) {
        this.cutUploadAfter = null;
        on.destroy();
        asked.destroy();
      }
    });
    asked.pipe(on);
  }
}
