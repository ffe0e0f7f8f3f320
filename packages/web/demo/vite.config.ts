// Builds the demo page from the packages' sources. Nothing is inlined, so that the page runs under a strict CSP.

import { fileURLToPath } from "node:url";
import { defaultClientConditions, defineConfig } from "vite";

export default defineConfig({
  root: fileURLToPath(new URL(".", import.meta.url)),
  base: "./",
  logLevel: "warn",
  resolve: { conditions: ["@allium/source", ...defaultClientConditions] },
  // Module workers, as the page makes them.
  worker: { format: "es" },
  build: {
    outDir: "dist",
    emptyOutDir: true,
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    target: "es2022",
    sourcemap: true,
  },
});
