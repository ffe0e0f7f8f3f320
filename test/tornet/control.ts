// A client of tor's control port (control-spec): authenticates by cookie, sends a command, reads its reply.

import { once } from "node:events";
import { readFile } from "node:fs/promises";
import net from "node:net";
import type { NodeInfo } from "./types.ts";

const TIMEOUT_MS = 5000;
const FINAL_LINE = /^(\d{3}) (.*)\r\n/m;

export class ControlError extends Error {}

export class Control {
  readonly #socket: net.Socket;
  readonly #closed: Promise<never>;
  #received = "";

  private constructor(socket: net.Socket) {
    this.#socket = socket;
    this.#closed = new Promise((_, reject) => {
      socket.on("close", () => reject(new ControlError("the control connection has closed")));
    });
    this.#closed.catch(() => {});
    // A connection that breaks between two commands says so at the next.
    socket.on("error", () => {});
    socket.setEncoding("latin1");
  }

  static async open(target: NodeInfo["control"]): Promise<Control> {
    const socket = net.connect({ host: target.host, port: target.port, noDelay: true });
    socket.setTimeout(TIMEOUT_MS, () => socket.destroy(new ControlError("the control port does not answer")));
    try {
      await once(socket, "connect");
      socket.setTimeout(0);
      const control = new Control(socket);
      const cookie = await readFile(target.cookieFile);
      await control.send(`AUTHENTICATE ${cookie.toString("hex")}`);
      return control;
    } catch (error) {
      socket.destroy();
      throw error;
    }
  }

  /** @returns the whole reply. Replies with data ("250+") are safe as dots at a line's start are doubled. */
  async send(command: string): Promise<string> {
    this.#received = "";
    // Only while an answer is due: a connection may be kept.
    this.#socket.setTimeout(TIMEOUT_MS);
    this.#socket.write(`${command}\r\n`);
    try {
      for (;;) {
        const final = endOfReply(this.#received);
        if (final !== undefined) {
          if (!final.startsWith("2")) throw new ControlError(`${command.split(" ")[0]}: ${final}`);
          return this.#received;
        }
        const [chunk] = await Promise.race([once(this.#socket, "data"), this.#closed]);
        this.#received += chunk;
      }
    } finally {
      this.#socket.setTimeout(0);
    }
  }

  close(): void {
    this.#socket.destroy();
  }
}

/** The last line of a reply, once it is there; data blocks are stepped over. */
function endOfReply(text: string): string | undefined {
  const withoutData = text.replace(/^\d{3}\+[\s\S]*?\r\n\.\r\n/gm, "");
  const found = FINAL_LINE.exec(withoutData);
  return found === null ? undefined : `${found[1]} ${found[2]}`;
}

export async function withControl<T>(
  target: NodeInfo["control"],
  use: (control: Control) => Promise<T>,
): Promise<T> {
  const control = await Control.open(target);
  try {
    return await use(control);
  } finally {
    control.close();
  }
}
