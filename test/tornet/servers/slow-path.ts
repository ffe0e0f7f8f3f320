// A process of its own for the delaying proxy before the relays' ORPorts, so that what is measured does not share its event
// loop. It listens where the consensus says that a relay does, and passes on to where the relay does listen.
// Arguments: DIR and a SlowPathPlan as JSON; messages from the owner are new SlowPaths.

import { once } from "node:events";
import { existsSync, readFileSync } from "node:fs";
import net from "node:net";
import type { SlowPath } from "../types.ts";
import { DelayLine, type LineClock } from "./delay-line.ts";
import { peerIsOneOf } from "./socket-owner.ts";

export interface SlowPathPlan {
  readonly from: number;
  readonly to: number;
  /** The relays behind the proxy. */
  readonly relays: readonly string[];
  /** Files with the numbers of the processes whose connections are not delayed. */
  readonly direct: readonly string[];
}

/** Says that the proxy listens, and later that it has changed its path. */
export type SlowPathAnswer = "done";

const DIRECT: SlowPath = { delayMs: 0 };

const clock: LineClock = {
  now: () => performance.now(),
  at(time, wake) {
    const timer = setTimeout(wake, Math.max(1, Math.ceil(time - performance.now())));
    return { cancel: () => clearTimeout(timer) };
  },
};

/** Bytes from one socket to the other, through a delay line. */
function oneWay(from: net.Socket, to: net.Socket, path: () => SlowPath, opensAfter: number): DelayLine {
  const line = new DelayLine({
    path,
    clock,
    sink: { write: (bytes) => to.write(bytes), end: () => to.end() },
    onRoom: () => from.resume(),
    opensAfter,
  });
  from.on("data", (bytes) => {
    if (!line.push(bytes)) from.pause();
  });
  from.on("end", () => line.end());
  to.on("drain", () => line.drained());
  return line;
}

/** Joins a connection to its relay; what breaks one of them ends both. */
function join(client: net.Socket, relay: net.Socket, path: () => SlowPath): void {
  // A connection stands after one round trip. The client is let to send at once, but its bytes wait for that.
  const opensAfter = 2 * path().delayMs;
  const lines = [oneWay(client, relay, path, opensAfter), oneWay(relay, client, path, opensAfter)];
  const end = () => {
    for (const line of lines) line.destroy();
    client.destroy();
    relay.destroy();
  };
  for (const socket of [client, relay]) {
    socket.on("error", end);
    // Both directions have ended in order, or the other side can have nothing more of this one.
    socket.on("close", end);
  }
}

/** The process numbers in files that tor writes at its start; those not there yet cannot have connected. */
function pidsIn(files: readonly string[]): number[] {
  return files.filter((file) => existsSync(file)).map((file) => Number(readFileSync(file, "utf8")));
}

async function listen(address: string, plan: SlowPathPlan, path: () => SlowPath): Promise<void> {
  const server = net.createServer({ allowHalfOpen: true, noDelay: true }, (client) => {
    const isDirect = plan.direct.length > 0 && peerIsOneOf(client, pidsIn(plan.direct));
    const relay = net.connect({ host: address, port: plan.to, noDelay: true, allowHalfOpen: true });
    join(client, relay, isDirect ? () => DIRECT : path);
  });
  server.listen({ host: address, port: plan.from });
  await once(server, "listening");
}

async function main(plan: SlowPathPlan): Promise<void> {
  process.on("SIGINT", () => process.exit(0));
  process.on("disconnect", () => process.exit(0));
  let current = DIRECT;
  const say = (answer: SlowPathAnswer) => process.send?.(answer);
  process.on("message", (path: SlowPath) => {
    current = path;
    say("done");
  });
  for (const address of plan.relays) await listen(address, plan, () => current);
  say("done");
}

const [, plan] = process.argv.slice(2);
if (plan === undefined) throw new Error("slow-path.ts DIR PLAN");
await main(JSON.parse(plan) as SlowPathPlan);
