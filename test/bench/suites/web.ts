// `web`: the web through TLS inside the circuit: `https:` down and up, and messages through a `wss:` echo, beside C tor with Node's
// own TLS and the `ws` package on its SOCKS port.

import { C_TOR } from "../contenders/contender.ts";
import type { SecureTransfer } from "../contenders/protocol.ts";
import type { Context, Suite } from "../context.ts";
import { orderOf } from "../statistics.ts";
import { Sheet, type Table } from "../table.ts";

const MIB = 1024 * 1024;
const WARM_UP = 4 * MIB;

function transfers({
  downloadBytes,
  uploadBytes,
}: Context["options"]): [string, Omit<SecureTransfer, "circuit">][] {
  const title = (what: string, bytes: number) => `${what}, ${Math.round(bytes / MIB)} MiB`;
  return [
    [title("https: down", downloadBytes), { what: "down", bytes: downloadBytes }],
    [title("https: up", uploadBytes), { what: "up", bytes: uploadBytes }],
    [title("wss: echo", uploadBytes), { what: "echo", bytes: uploadBytes }],
  ];
}

export const web: Suite = {
  name: "web",
  about: "https: down and up and messages through wss:, beside C tor with Node's TLS on its SOCKS port",
  async run(context) {
    const tables: Table[] = [];
    const kinds = context.options.contenders.filter((kind) => kind !== "c-tor-conflux");
    for (const scheduler of context.options.schedulers) {
      for (const form of context.options.forms) {
        const sheet = new Sheet();
        let columns: string[] = [];
        await context.withContenders(
          { scheduler, form },
          async (contenders) => {
            columns = contenders.map(({ name }) => name);
            const all = transfers(context.options);
            for (let round = -1; round < context.options.rounds; round++) {
              for (const [title, transfer] of all) {
                context.say(round < 0 ? `warming up: ${title}` : `round ${round + 1}: ${title}`);
                for (const contender of orderOf(contenders, Math.max(round, 0))) {
                  context.check();
                  const circuit = `web-${round}-${transfer.what}`;
                  const bytes = round < 0 ? WARM_UP : transfer.bytes;
                  await contender.link.ask({ ask: "prepare", circuits: [circuit] });
                  const { ms } = await contender.link.ask({ ask: "secure", ...transfer, bytes, circuit });
                  if (round >= 0) sheet.add(round, title, "MB/s", contender.name, [bytes / 1000 / ms]);
                }
              }
            }
          },
          kinds,
        );
        tables.push(sheet.table(`TLS inside the circuit on ${scheduler}, ${form}`, columns, C_TOR));
      }
    }
    return tables;
  },
};
