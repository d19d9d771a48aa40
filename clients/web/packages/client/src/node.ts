/** For Node: calls over HTTP/2, as native clients make them. */

import { createGrpcTransport } from "@connectrpc/connect-node";

import type { TransportMaker } from "./calls.js";

/** `Adda.open({ …, transport: overHttp2(server) })`. */
export function overHttp2(server: string): TransportMaker {
  return (interceptors) => createGrpcTransport({ baseUrl: server, interceptors });
}
