// ntor-v3 with C tor's relays: each form that a hop may be asked for is answered and agreed upon, by the consensus and the
// subprotocols of the network itself; what they must refuse, they refuse.

import { nodeDialer } from "@allium/bridge";
import { memoryStore } from "@allium/core";
import { afterAll, beforeAll, describe, expect, inject, test } from "vitest";
import { deferred } from "../../packages/core/src/base/abort.ts";
import { systemClock } from "../../packages/core/src/base/clock.ts";
import { decodeCreated2, encodeCreate2 } from "../../packages/core/src/circuit/handshake/create-cells.ts";
import {
  encodeExtensions,
  subprotocolRequest,
} from "../../packages/core/src/circuit/handshake/extensions.ts";
import { negotiatedHop, requestMessage } from "../../packages/core/src/circuit/handshake/negotiation.ts";
import {
  NTOR_V3_TYPE,
  type NtorV3Target,
  ntorV3Handshake,
} from "../../packages/core/src/circuit/handshake/ntor-v3.ts";
import { NetworkStack } from "../../packages/core/src/client/stack.ts";
import type { NetDir, Relay } from "../../packages/core/src/directory/api.ts";
import { COMMAND } from "../../packages/core/src/link/commands.ts";
import { hopRequest, negotiationParams } from "../../packages/core/src/path/negotiation.ts";

const signal = AbortSignal.timeout(60_000);

let netdir: NetDir | undefined;
const stack = new NetworkStack({
  ...{ network: inject("network"), dialer: nodeDialer(), store: memoryStore(), clock: systemClock },
  ...{ memoryLimit: 1 << 20, padding: "off", circuits: { cgo: true } },
  log: undefined,
  circuitBuildTimeout: 60_000,
  directory: {
    onNetDir: (view) => {
      netdir = view;
    },
  },
});

beforeAll(() => stack.directory.bootstrap({ signal }));
afterAll(() => stack.close());

function known(): NetDir {
  if (netdir === undefined) throw new Error("no directory");
  return netdir;
}

function relayNamed(nicknames: readonly string[]): Relay {
  const relay = known().relays.find(({ nickname }) => nicknames.includes(nickname));
  if (relay === undefined) throw new Error(`none of ${nicknames} in the consensus`);
  return relay;
}

/** CREATE2 with ntor-v3 to `relay`. @returns what it said, and 92 bytes of keys @throws when it destroys the circuit */
async function create(relay: Relay, message: Uint8Array, target: NtorV3Target = relay) {
  const channel = await stack.channels.get(relay, signal);
  const handshake = await ntorV3Handshake(target, message);
  const answer = deferred<Uint8Array>();
  const slot = channel.attach({
    cell: (command, bytes, from) =>
      command === COMMAND.created2
        ? answer.resolve(decodeCreated2(bytes.slice(from, from + 509)))
        : answer.reject(new Error(`cell command ${command}`)),
    destroyed: (reason) => answer.reject(new Error(`DESTROY ${reason}`)),
    channelClosed: (error) => answer.reject(error),
    writable() {},
  });
  try {
    const data = { type: NTOR_V3_TYPE, data: handshake.clientPart };
    slot.send(COMMAND.create2, encodeCreate2(data));
    return await handshake.finish(await answer.promise, 92);
  } finally {
    slot.destroy();
  }
}

describe("C tor's relays", () => {
  const { exits, guards } = inject("info");

  test("an exit agrees to congestion control and Counter Galois Onion", async () => {
    const exit = relayNamed(exits);
    const request = hopRequest(exit, "exit", negotiationParams(known()));
    expect(request).toEqual({ handshake: "ntor-v3", congestionControl: { sendmeInc: 31 }, cgo: true });
    const { message, keyMaterial } = await create(exit, requestMessage(request));
    expect(negotiatedHop(request, message)).toEqual({ congestionControl: { sendmeInc: 31 }, cgo: true });
    expect(keyMaterial.length).toBe(92);
  });

  test("and to congestion control alone, where we want no more", async () => {
    const exit = relayNamed(exits);
    const request = hopRequest(exit, "exit", negotiationParams(known(), { cgo: false }));
    const { message } = await create(exit, requestMessage(request));
    expect(negotiatedHop(request, message)).toEqual({ congestionControl: { sendmeInc: 31 }, cgo: false });
  });

  test("a guard that is asked as directory cache agrees to the same", async () => {
    const guard = relayNamed(guards);
    const request = hopRequest(guard, "directory", negotiationParams(known()));
    const { message } = await create(guard, requestMessage(request));
    expect(negotiatedHop(request, message)).toEqual({ congestionControl: { sendmeInc: 31 }, cgo: true });
  });

  test("a guard that is asked for nothing answers with nothing", async () => {
    const guard = relayNamed(guards);
    const request = hopRequest(guard, "guard-or-middle", negotiationParams(known()));
    expect(request.handshake).toBe("ntor-v3");
    const { message } = await create(guard, requestMessage(request));
    expect(message).toEqual(Uint8Array.of(0));
    expect(negotiatedHop(request, message)).toEqual({ congestionControl: undefined, cgo: false });
  });

  test("refuse Counter Galois Onion without congestion control, and what is not negotiable", async () => {
    const guard = relayNamed(guards);
    for (const wanted of [["Relay", 6] as const, ["Conflux", 1] as const]) {
      const message = encodeExtensions([subprotocolRequest([wanted])]);
      await expect(create(guard, message)).rejects.toThrow("DESTROY");
    }
  });

  test("refuse a list that ends too soon", async () => {
    await expect(create(relayNamed(guards), Uint8Array.of(1))).rejects.toThrow("DESTROY");
  });

  test("refuse an onionskin for another relay's key or identity", async () => {
    const [guard, exit] = [relayNamed(guards), relayNamed(exits)];
    const { ntorOnionKey, ed25519Id } = exit;
    const message = Uint8Array.of(0);
    await expect(create(guard, message, { ed25519Id: guard.ed25519Id, ntorOnionKey })).rejects.toThrow(
      "DESTROY",
    );
    await expect(create(guard, message, { ed25519Id, ntorOnionKey: guard.ntorOnionKey })).rejects.toThrow(
      "DESTROY",
    );
  });
});
