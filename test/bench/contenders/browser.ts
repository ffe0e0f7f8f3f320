// The bench's end of an agent in a page of a bare Chromium. No debugger is attached: a CDP session cuts WebSocket throughput to a
// third. The page asks its server for the next question and posts its reply with it.

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { rootsUrl } from "@allium/core/roots";
import { build } from "esbuild";
import { CHROMIUM_FLAGS } from "../../e2e/browsers.ts";
import { groupPids } from "../machine.ts";
import { QUESTION_TIMEOUT } from "./child.ts";
import type { AnswerTo, Link, Question, Reply } from "./protocol.ts";

async function bundle(entry: string): Promise<string> {
  const result = await build({
    entryPoints: [resolve(import.meta.dirname, entry)],
    bundle: true,
    minify: true,
    format: "esm",
    target: "es2022",
    conditions: ["@allium/source"],
    write: false,
  });
  return result.outputFiles[0]?.text ?? "";
}

async function bodyOf(request: IncomingMessage): Promise<string> {
  let text = "";
  for await (const chunk of request) text += chunk;
  return text;
}

interface Waiting {
  resolve(answer: unknown): void;
  reject(error: Error): void;
}

export class BrowserLink implements Link {
  readonly #server: Server;
  readonly #profile = mkdtempSync(join(tmpdir(), "allium-bench-"));
  readonly #browser: ChildProcess;
  /** By path. */
  readonly #scripts: ReadonlyMap<string, string>;
  /** The page's request for the next question. */
  #asking: ServerResponse | undefined;
  #waiting: Waiting | undefined;

  private constructor(
    server: Server,
    scripts: ReadonlyMap<string, string>,
    browser: (profile: string) => ChildProcess,
  ) {
    this.#server = server;
    this.#scripts = scripts;
    this.#browser = browser(this.#profile);
  }

  /**
   * @param entry the page's script, beside this file unless it is a whole path
   * @param workers scripts of workers by the path at which the page finds them, such as "/worker.js"
   */
  static async start(
    entry: string,
    start: object,
    workers: Readonly<Record<string, string>> = {},
  ): Promise<BrowserLink> {
    const scripts = new Map<string, string>();
    for (const [path, file] of Object.entries({ "/page.js": entry, ...workers }))
      scripts.set(path, await bundle(file));
    const server = createServer();
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
    const link = new BrowserLink(server, scripts, (profile) => launch(profile, url));
    server.on("request", (request, response) => link.#serve(request, response, start));
    process.once("exit", link.#kill);
    link.#browser.once("exit", () => link.#waiting?.reject(new Error("Chromium has ended by itself")));
    await link.#reply();
    return link;
  }

  /** The processes that run pages, without the browser's own and its network service. */
  pagePids(): readonly number[] {
    return this.pids().filter((pid) => commandLine(pid).includes("--type=renderer"));
  }

  async ask<Q extends Question>(question: Q): Promise<AnswerTo<Q>> {
    const asking = this.#asking;
    if (asking === undefined) throw new Error("the page has not asked for a question");
    this.#asking = undefined;
    sendJson(asking, question);
    return (await this.#reply()) as AnswerTo<Q>;
  }

  /** Chromium's helpers are in its process group, which is ours alone. */
  pids(): readonly number[] {
    return this.#browser.pid === undefined ? [] : groupPids(this.#browser.pid);
  }

  async close(): Promise<void> {
    process.off("exit", this.#kill);
    const exited = once(this.#browser, "exit");
    this.#kill();
    await exited;
    this.#server.closeAllConnections();
    this.#server.close();
    rmSync(this.#profile, { recursive: true, force: true, maxRetries: 5 });
  }

  #kill = (): void => {
    try {
      if (this.#browser.pid !== undefined) process.kill(-this.#browser.pid, "SIGKILL");
    } catch {
      // It has ended.
    }
  };

  async #serve(request: IncomingMessage, response: ServerResponse, start: object) {
    const script = this.#scripts.get(request.url ?? "");
    if (script !== undefined) send(response, "text/javascript", script);
    else if (request.url === "/roots.bin") response.end(readFileSync(rootsUrl()));
    else if (request.url === "/start") sendJson(response, start);
    else if (request.url === "/next") this.#next(JSON.parse(await bodyOf(request)) as Reply, response);
    else send(response, "text/html", '<!doctype html><script type="module" src="page.js"></script>');
  }

  #next(reply: Reply, response: ServerResponse): void {
    this.#asking = response;
    const waiting = this.#waiting;
    this.#waiting = undefined;
    if ("error" in reply) waiting?.reject(new Error(reply.error));
    else waiting?.resolve(reply.answer);
  }

  #reply(): Promise<unknown> {
    return new Promise((resolve, reject) => {
      const late = setTimeout(() => reject(new Error("the page does not answer")), QUESTION_TIMEOUT);
      const settled = () => clearTimeout(late);
      this.#waiting = {
        resolve: (answer) => {
          settled();
          resolve(answer);
        },
        reject: (error) => {
          settled();
          reject(error);
        },
      };
    });
  }
}

function launch(profile: string, url: string): ChildProcess {
  const flags = [
    ...CHROMIUM_FLAGS,
    "--headless",
    "--enable-precise-memory-info",
    "--js-flags=--expose-gc",
    `--user-data-dir=${profile}`,
    url,
  ];
  return spawn("/usr/bin/chromium", flags, { stdio: "ignore", detached: true });
}

function commandLine(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, "latin1");
  } catch {
    return "";
  }
}

function send(response: ServerResponse, type: string, body: string): void {
  response.writeHead(200, { "content-type": type }).end(body);
}

function sendJson(response: ServerResponse, value: unknown): void {
  send(response, "application/json", JSON.stringify(value));
}
