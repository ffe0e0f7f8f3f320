// Asynchronous events of tor's control port (control-spec 4.1): a connection of its own that only listens, so that what it is told
// has the time at which it came.

import { readFile } from "node:fs/promises";
import net from "node:net";
import type { NodeInfo } from "./types.ts";

const TIMEOUT_MS = 5000;

/** @param time milliseconds, as performance.now() gives them */
export type OnEvent = (line: string, time: number) => void;

export class ControlEvents {
  readonly #socket: net.Socket;
  readonly #onEvent: OnEvent;
  #received = "";
  #replies = 0;
  #onReply: (() => void) | undefined;

  private constructor(socket: net.Socket, onEvent: OnEvent) {
    this.#socket = socket;
    this.#onEvent = onEvent;
    socket.setEncoding("latin1");
    socket.on("data", (text: string) => this.#take(text));
    socket.on("error", () => {});
  }

  /** @param events such as `CIRC`, `STREAM` */
  static async open(
    target: NodeInfo["control"],
    events: readonly string[],
    onEvent: OnEvent,
  ): Promise<ControlEvents> {
    const cookie = (await readFile(target.cookieFile)).toString("hex");
    const socket = net.connect({ host: target.host, port: target.port, noDelay: true });
    const listener = new ControlEvents(socket, onEvent);
    socket.write(`AUTHENTICATE ${cookie}\r\nSETEVENTS ${events.join(" ")}\r\n`);
    await new Promise<void>((resolve, reject) => {
      const late = setTimeout(() => reject(new Error("the control port does not answer")), TIMEOUT_MS);
      listener.#onReply = () => {
        if (listener.#replies < 2) return;
        clearTimeout(late);
        resolve();
      };
      socket.once("close", () => reject(new Error("the control port has refused")));
    });
    return listener;
  }

  close(): void {
    this.#socket.destroy();
  }

  #take(text: string): void {
    const time = performance.now();
    const lines = (this.#received + text).split("\r\n");
    this.#received = lines.pop() ?? "";
    for (const line of lines) {
      if (line.startsWith("650")) this.#onEvent(line.slice(4), time);
      else if (line.startsWith("250 ")) {
        this.#replies++;
        this.#onReply?.();
      }
    }
  }
}
