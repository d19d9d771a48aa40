import { brotliCompressSync, constants, gzipSync } from "node:zlib";

import { defineConfig, type Plugin } from "vite";

/** A server for `npm run dev`: `make run` starts one there. */
const SERVER = process.env["ADDA_SERVER"] ?? "http://127.0.0.1:8080";

/** Beside each file that is worth it, the same made smaller: a server need only choose. */
const smaller: Plugin = {
  name: "smaller",
  apply: "build",
  generateBundle: {
    order: "post",
    handler(_, bundle) {
      for (const [name, file] of Object.entries(bundle)) {
        const source = Buffer.from(file.type === "chunk" ? file.code : file.source);
        if (source.length < 1024) continue;
        const params = { [constants.BROTLI_PARAM_SIZE_HINT]: source.length };
        this.emitFile({ type: "asset", fileName: `${name}.br`, source: brotliCompressSync(source, { params }) });
        this.emitFile({ type: "asset", fileName: `${name}.gz`, source: gzipSync(source, { level: 9 }) });
      }
    },
  },
};

export default defineConfig({
  plugins: [smaller],
  // Wherever the page is put, its files are beside it.
  base: "./",
  // React's own transform would need a plugin; esbuild does as well.
  esbuild: { jsx: "automatic" },
  build: {
    target: "es2022",
    // No file becomes part of the HTML or the CSS: the Content-Security-Policy allows neither script nor data there.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    sourcemap: false,
    reportCompressedSize: false,
    // What the first load may weigh is held by a test.
    chunkSizeWarningLimit: 1000,
  },
  server: {
    proxy: { "/adda.v1.": SERVER, "/dev/token": SERVER, "/uploads": SERVER, "/files": SERVER },
  },
});
