/** A link between clients and a server that fails as links do: it refuses, cuts, is slow, or goes dead without a word. */

import { createServer, connect, type AddressInfo, type Server, type Socket } from "node:net";

export class Link {
  private readonly pairs = new Set<{ client: Socket; server: Socket; dead: boolean }>();
  private refuses = false;
  /** So long each byte is under way, in either direction. */
  delay = 0;

  private constructor(private readonly server: Server, to: number) {
    server.on("connection", (client) => {
      if (this.refuses) return client.destroy();
      const pair = { client, server: connect(to, "127.0.0.1"), dead: false };
      this.pairs.add(pair);
      const pass = (from: Socket, on: Socket): void => {
        from.on("data", (bytes) => {
          if (pair.dead) return;
          if (this.delay === 0) on.write(bytes);
          else setTimeout(() => { if (!pair.dead && on.writable) on.write(bytes); }, this.delay);
        });
        from.on("error", () => {});
        from.on("close", () => {
          this.pairs.delete(pair);
          on.destroy();
        });
      };
      pass(client, pair.server);
      pass(pair.server, client);
    });
  }

  static async to(port: number): Promise<Link> {
    const server = createServer();
    const link = new Link(server, port);
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    return link;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  /** Ends all connections. */
  cut(): void {
    for (const { client, server } of this.pairs) {
      client.destroy();
      server.destroy();
    }
  }

  /** Cuts, and lets none in while it is on. */
  refuse(on: boolean): void {
    this.refuses = on;
    if (on) this.cut();
  }

  /** The connections there are carry nothing any more, and nobody is told. New ones do. */
  freeze(): void {
    for (const pair of this.pairs) pair.dead = true;
  }

  close(): void {
    this.refuse(true);
    this.server.close();
  }
}
