// The worker's side: a client of the caller's own for one port after the other, or one that is made when the first page
// says what it shall be.

import type { TorClientLike, TorError } from "@allium/core";
import { badApiUsage, deferred } from "@allium/core/internal";
import type { Hello } from "./connection.ts";
import { Consumer } from "./consumer.ts";
import { closedError, optionsError } from "./errors.ts";
import type { PortLike } from "./link.ts";
import { OPTION_NAMES } from "./protocol.ts";
import { parseJson } from "./served-operation.ts";

/** A port that is served. */
export interface ServedPort {
  /** Fulfilled once the page is gone and all that it held is free. */
  readonly closed: Promise<void>;
  /** Ends the connection; the client stays. */
  close(): void;
}

/**
 * Lets the page at the other end of `port` use `client`; several ports may share one. The client stays the caller's: a
 * page that closes its own ends what it began there, nothing else.
 */
export function serveTorClient(client: TorClientLike, port: PortLike): ServedPort {
  const closed = deferred();
  const open = ({ options }: Hello) => {
    if (options !== undefined)
      throw optionsError("this worker has its client already: connect without options");
    return client;
  };
  const left = async () => closed.resolve();
  const consumer = new Consumer(port, { open, left, ended: () => {} });
  return { closed: closed.promise, close: () => consumer.end(closedError()) };
}

type Options = Readonly<Record<string, unknown>>;

/** One client for all ports of a worker, from the first page's hello until the last page has gone. */
export class WorkerHost {
  readonly #create: (options: Options) => TorClientLike;
  readonly #onEmpty: () => void;
  readonly #onShare: (name: string) => void;
  readonly #consumers = new Set<Consumer>();
  #current: { readonly client: TorClientLike; readonly options: Options } | undefined;
  #pages = 0;

  /**
   * @param onEmpty called when a page has gone and there is no other
   * @param onShare called when a page wants others to find the client by this name
   */
  constructor(
    create: (options: Options) => TorClientLike,
    onEmpty: () => void,
    onShare: (name: string) => void,
  ) {
    this.#create = create;
    this.#onEmpty = onEmpty;
    this.#onShare = onShare;
  }

  serve(port: PortLike): void {
    let counted = false;
    const consumer = new Consumer(port, {
      open: ({ options, share }) => {
        const client = this.#open(options);
        if (share !== undefined) this.#onShare(share);
        this.#pages++;
        counted = true;
        return client;
      },
      left: async () => {
        if (counted) this.#pages--;
        if (this.#pages > 0) return;
        const last = this.#current;
        this.#current = undefined;
        await last?.client.close();
      },
      ended: () => {
        this.#consumers.delete(consumer);
        if (this.#pages === 0) this.#onEmpty();
      },
    });
    this.#consumers.add(consumer);
  }

  /** Ends all connections, and so the client; the pages are told why. */
  close(error: TorError): void {
    for (const consumer of this.#consumers) consumer.end(error);
  }

  #open(json: string | undefined): TorClientLike {
    if (json === undefined) {
      if (this.#current === undefined)
        throw optionsError("no page has said yet what this worker's client shall be");
      return this.#current.client;
    }
    const options = checkOptions(parseJson(json));
    this.#current ??= { client: this.#create(options), options };
    const different = OPTION_NAMES.filter(
      (name) => canonical(options[name]) !== canonical(this.#current?.options[name]),
    );
    if (different.length > 0)
      throw optionsError(`this worker's client was made with other options: ${different.join(", ")}`);
    return this.#current.client;
  }
}

function checkOptions(options: unknown): Options {
  if (typeof options !== "object" || options === null || Array.isArray(options))
    throw badApiUsage("ALLIUM_E_BAD_OPTIONS", "the options of a client in a worker must be an object");
  for (const name of Object.keys(options)) {
    if (!(OPTION_NAMES as readonly string[]).includes(name))
      throw badApiUsage("ALLIUM_E_BAD_OPTIONS", `a client in a worker has no option "${name.slice(0, 40)}"`);
  }
  return options as Options;
}

/** JSON in which the order of the keys says nothing. */
function canonical(value: unknown): string | undefined {
  return JSON.stringify(value, (_, part: unknown) =>
    typeof part === "object" && part !== null && !Array.isArray(part)
      ? Object.fromEntries(Object.entries(part).sort(([a], [b]) => (a < b ? -1 : 1)))
      : part,
  );
}
