import { defineConfig } from "vite";

/** A server for `npm run dev`: `make run` starts one there. */
const SERVER = process.env["ADDA_SERVER"] ?? "http://127.0.0.1:8080";

export default defineConfig({
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
  },
  server: {
    proxy: { "/adda.v1.": SERVER, "/dev/token": SERVER, "/uploads": SERVER, "/files": SERVER },
  },
});
