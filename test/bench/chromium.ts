// Runs the bench page in a bare Chromium. No debugger is attached: a CDP session cuts WebSocket throughput to a third.

import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { CHROMIUM_FLAGS } from "../e2e/browsers.ts";

async function bundle(): Promise<string> {
  const result = await build({
    entryPoints: [fileURLToPath(new URL("./page.ts", import.meta.url))],
    bundle: true,
    minify: true,
    format: "esm",
    target: "es2022",
    conditions: ["@allium/source"],
    write: false,
  });
  return result.outputFiles[0]?.text ?? "";
}

async function readBody(request: IncomingMessage): Promise<string> {
  let text = "";
  for await (const chunk of request) text += chunk;
  return text;
}

/** Loads the page once with the given job. @returns what the page posts */
export async function runInChromium(job: object, timeout: number): Promise<Record<string, unknown>> {
  const script = await bundle();
  const { promise: posted, resolve } = Promise.withResolvers<string>();
  const server = createServer(async (request, response) => {
    if (request.url === "/result") resolve(await readBody(request));
    const [type, body] =
      request.url === "/job.json"
        ? ["application/json", JSON.stringify(job)]
        : request.url === "/page.js"
          ? ["text/javascript", script]
          : ["text/html", '<!doctype html><script type="module" src="page.js"></script>'];
    response.writeHead(200, { "content-type": type }).end(body);
  });
  await new Promise<void>((listening) => server.listen(0, "127.0.0.1", listening));
  const profile = mkdtempSync(join(tmpdir(), "allium-bench-"));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
  const flags = [
    ...CHROMIUM_FLAGS,
    "--headless",
    "--enable-precise-memory-info",
    `--user-data-dir=${profile}`,
    url,
  ];
  const browser = spawn("/usr/bin/chromium", flags, { stdio: "ignore", detached: true });
  const late = new Promise<never>((_, reject) => {
    setTimeout(() => reject(new Error("the page did not answer in time")), timeout).unref();
  });
  try {
    const result = JSON.parse(await Promise.race([posted, late])) as Record<string, unknown>;
    if (typeof result.error === "string") throw new Error(result.error);
    return result;
  } finally {
    // Chromium's helpers are in its process group, which is ours alone.
    if (browser.pid !== undefined) process.kill(-browser.pid, "SIGKILL");
    await new Promise((exited) => browser.once("exit", exited));
    server.closeAllConnections();
    server.close();
    rmSync(profile, { recursive: true, force: true, maxRetries: 5 });
  }
}
