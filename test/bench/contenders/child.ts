// The bench's end of an agent in a process of its own.

import { type ChildProcess, fork } from "node:child_process";
import { resolve } from "node:path";
import type { AnswerTo, Link, Question, Reply } from "./protocol.ts";

export const QUESTION_TIMEOUT = 900_000;
const NODE_FLAGS = ["--conditions=@allium/source", "--disable-warning=ExperimentalWarning", "--expose-gc"];

export class ChildLink implements Link {
  readonly #process: ChildProcess;
  #started: unknown;

  private constructor(child: ChildProcess) {
    this.#process = child;
  }

  /** @param file beside this one unless it is a whole path */
  static async start(file: string, start: object): Promise<ChildLink> {
    const child = fork(resolve(import.meta.dirname, file), [JSON.stringify(start)], {
      execArgv: NODE_FLAGS,
      stdio: ["ignore", "inherit", "inherit", "ipc"],
    });
    const link = new ChildLink(child);
    link.#started = await link.#reply(QUESTION_TIMEOUT);
    return link;
  }

  /** What the process told when it was ready. */
  get started(): unknown {
    return this.#started;
  }

  async ask<Q extends Question>(question: Q): Promise<AnswerTo<Q>> {
    this.#process.send(question);
    return (await this.#reply(QUESTION_TIMEOUT)) as AnswerTo<Q>;
  }

  pids(): readonly number[] {
    return this.#process.pid === undefined ? [] : [this.#process.pid];
  }

  async close(): Promise<void> {
    if (this.#process.exitCode !== null || this.#process.signalCode !== null) return;
    const exited = new Promise((resolve) => this.#process.once("exit", resolve));
    this.#process.kill("SIGKILL");
    await exited;
  }

  async #reply(timeout: number): Promise<unknown> {
    const reply = await new Promise<Reply>((resolve, reject) => {
      const late = setTimeout(() => settle(() => reject(new Error("an agent does not answer"))), timeout);
      const onExit = () => settle(() => reject(new Error("an agent has ended by itself")));
      const onMessage = (message: unknown) => settle(() => resolve(message as Reply));
      const settle = (done: () => void) => {
        clearTimeout(late);
        this.#process.off("exit", onExit).off("message", onMessage);
        done();
      };
      this.#process.once("exit", onExit).once("message", onMessage);
    });
    if ("error" in reply) throw new Error(reply.error);
    return reply.answer;
  }
}
