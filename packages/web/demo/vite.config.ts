// Builds the demo page from the packages' sources. Nothing is inlined, so that the page runs under a strict CSP.

import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { defaultClientConditions, defineConfig, type Plugin } from "vite";

const root = fileURLToPath(new URL(".", import.meta.url));

/** The scripts of the viewer's hosts, each in one file: Firefox has no module service workers. */
const viewerScripts: Plugin = {
  name: "viewer-scripts",
  async generateBundle() {
    for (const name of ["frame", "worker"]) {
      const { outputFiles } = await build({
        ...({ bundle: true, minify: true, format: "iife", target: "es2022", write: false } as const),
        ...{
          conditions: ["@allium/source"],
          absWorkingDir: root,
          entryPoints: [`@allium/web/viewer/${name}`],
        },
      });
      const source = outputFiles[0]?.contents ?? "";
      this.emitFile({ type: "asset", fileName: `viewer/allium-${name}.js`, source });
    }
  },
};

export default defineConfig({
  root,
  base: "./",
  logLevel: "warn",
  plugins: [viewerScripts],
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
