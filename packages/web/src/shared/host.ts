// The side that runs the client of all tabs: a WorkerHost that serves its own ports, and whoever finds it by its name.
// Not here: who may be it (host-port.ts).

import { systemClock, type TorClientLike } from "@allium/core";
import { lostError } from "../remote/errors.ts";
import type { PortLike } from "../remote/link.ts";
import { WorkerHost } from "../remote/serve.ts";
import { ControlChannel, channelPort, randomId } from "./control.ts";

/** Milliseconds for one who sought the client to say its first word. */
const HELLO_TIMEOUT = 30_000;

export class SharingHost {
  readonly #host: WorkerHost;
  readonly #id = randomId();
  readonly #sleeps: boolean;
  #control: ControlChannel | undefined;

  /**
   * @param onEmpty called when nobody uses the client any more
   * @param sleeps whether the browser ends this context unless it is woken
   */
  constructor(create: (options: object) => TorClientLike, onEmpty: () => void, sleeps = false) {
    this.#sleeps = sleeps;
    const empty = () => {
      this.#hide();
      onEmpty();
    };
    this.#host = new WorkerHost(create, empty, (name) => this.#announce(name));
  }

  serve(port: PortLike): void {
    this.#host.serve(port);
  }

  /** Another one runs the client now. */
  stop(): void {
    this.#hide();
    this.#host.close(lostError());
  }

  #announce(name: string): void {
    if (this.#control !== undefined) return;
    const control = new ControlChannel(name, (message) => {
      if (message.type !== "seek") return;
      this.#serveSeeker(message.port);
      control.post({ type: "here", port: message.port, host: this.#id, sleeps: this.#sleeps });
    });
    control.post({ type: "open", host: this.#id });
    this.#control = control;
  }

  #hide(): void {
    this.#control?.close();
    this.#control = undefined;
  }

  #serveSeeker(name: string): void {
    const port = channelPort(name);
    this.serve(port);
    const timer = systemClock.timer(HELLO_TIMEOUT);
    port.addEventListener("message", () => timer.cancel(), { once: true });
    void timer.fired.then(() => port.dispatchEvent(new Event("close")));
  }
}
