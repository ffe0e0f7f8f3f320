// RESOLVE is one message out and one RESOLVED in; what the exit may say, and what of it is believed (tor-spec 6.4).

import { describe, expect, test } from "vitest";
import { parseIp } from "../../src/base/address.ts";
import type { StreamOptions } from "../../src/circuit/api.ts";
import { RelayCommand } from "../../src/circuit/relaycell/command.ts";
import { decodeMessage, encodeMessage, type ResolvedAnswer } from "../../src/circuit/relaycell/messages.ts";
import { ManualClock } from "../../src/testing/manual-clock.ts";
import type { ExitStream } from "../../src/testing/relay/exit-stream.ts";
import { testCircuit } from "./relay.ts";

const { CONNECTED, DATA, END, RESOLVE, RESOLVED, SENDME, XOFF, XON } = RelayCommand;
const NOTHING = new Uint8Array(0);
const one = Uint8Array.of(1);

function answer(text: string, ttl = 60): ResolvedAnswer {
  const value = parseIp(text) as Uint8Array;
  return { type: value.length === 4 ? 4 : 6, value, ttl };
}

function error(type: number): ResolvedAnswer {
  return { type, value: Uint8Array.of(0x45), ttl: 60 };
}

/** A RESOLVE that has reached the exit of a circuit of three hops, not answered yet. */
async function asked(hostname = "example.com", options: StreamOptions = {}) {
  const clock = new ManualClock();
  const { circuit, relays } = await testCircuit(3, clock);
  relays.behaviour.resolve = () => undefined;
  const result = circuit.resolve(hostname, options);
  result.catch(() => {});
  await relays.idle();
  const cell = relays.received.findLast(({ command }) => command === RESOLVE);
  if (cell === undefined) throw new Error("no RESOLVE came");
  const send = (command: number, data: Uint8Array = NOTHING, hop = 2) =>
    void relays.send(hop, command, cell.streamId, data);
  const say = (...answers: ResolvedAnswer[]) => send(RESOLVED, encodeMessage({ command: RESOLVED, answers }));
  return { clock, circuit, relays, result, cell, send, say };
}

describe("an answer", () => {
  test("is the exit's addresses in its order, and leaves nothing behind", async () => {
    const { circuit, relays, result, cell, say } = await asked("Example.COM");
    expect(cell.hop).toBe(2);
    expect(decodeMessage(RESOLVE, cell.data)).toEqual({ command: RESOLVE, hostname: "example.com" });
    expect(circuit.streamCount).toBe(1);
    say(answer("93.184.216.34", 3600), answer("2606:2800:0:0:0:0:0:1", 7));
    expect(await result).toEqual([
      { address: "93.184.216.34", ttl: 3600 },
      { address: "2606:2800::1", ttl: 7 },
    ]);
    expect(circuit.streamCount).toBe(0);
    expect(circuit.unusedSince).toBeDefined();
    await relays.idle();
    expect(relays.received.some(({ command }) => command === END)).toBe(false);
    expect(circuit.isClosed).toBe(false);
  });

  test("is what RESOLVED said, whatever came right behind it", async () => {
    const { circuit, relays, result, say } = await asked();
    const stream = await circuit.openStream("other.example", 80);
    const [other] = relays.streams() as [ExitStream];
    // In one chunk of the link: nobody has looked at the answer when the next cell comes.
    say(answer("93.184.216.34", 3600), answer("2606:2800:0:0:0:0:0:1", 7));
    relays.send(2, DATA, other.id, new Uint8Array(498).fill(0x2a));
    expect(await result).toEqual([
      { address: "93.184.216.34", ttl: 3600 },
      { address: "2606:2800::1", ttl: 7 },
    ]);
    expect(await stream.read()).toEqual(new Uint8Array(498).fill(0x2a));
  });

  test("holds as many addresses as a cell does", async () => {
    const { result, say } = await asked();
    say(...Array.from({ length: 49 }, (_, i) => answer(`93.184.216.${i}`)));
    expect(await result).toHaveLength(49);
  });

  test("counts without its internal addresses, its names and what is unknown", async () => {
    const { result, say } = await asked();
    const internal = ["127.0.0.1", "10.0.0.1", "::1", "::ffff:93.184.216.34", "fd00::1"].map((ip) =>
      answer(ip),
    );
    say(...internal, error(0), error(99), answer("93.184.216.34"));
    expect(await result).toEqual([{ address: "93.184.216.34", ttl: 60 }]);
  });

  test("may be internal where the network is", async () => {
    const { result, say } = await asked("example.com", { allowPrivateAddresses: true });
    say(answer("127.0.0.1"));
    expect(await result).toEqual([{ address: "127.0.0.1", ttl: 60 }]);
  });

  test.each<[string, ResolvedAnswer[], string, string]>([
    ["a transient error", [error(0xf0)], "exit-timeout", "RESOLVE_TRANSIENT"],
    ["a lasting error", [error(0xf1)], "remote-host-not-found", "RESOLVE_NOT_FOUND"],
    ["nothing", [], "remote-host-not-found", "RESOLVE_NOT_FOUND"],
    ["only a name", [error(0)], "remote-host-not-found", "RESOLVE_NOT_FOUND"],
    [
      "only internal addresses",
      [answer("192.168.0.1"), answer("fe80::1")],
      "exit-policy",
      "RESOLVE_INTERNAL_ADDRESS",
    ],
  ])("%s is an error of the request, not of the circuit", async (_, answers, kind, code) => {
    const { circuit, result, say } = await asked();
    say(...answers);
    await expect(result).rejects.toMatchObject({ kind, code: `ALLIUM_E_${code}` });
    expect(circuit.isClosed).toBe(false);
    expect(circuit.streamCount).toBe(0);
  });

  test("may be an END instead", async () => {
    const { circuit, result, send } = await asked();
    send(END, Uint8Array.of(11));
    await expect(result).rejects.toMatchObject({ code: "ALLIUM_E_STREAM_RESOURCELIMIT" });
    expect(circuit.isClosed).toBe(false);
    send(RESOLVED);
    expect(await circuit.closed).toMatchObject({ code: "ALLIUM_E_CIRCUIT_UNKNOWN_STREAM" });
  });

  test("comes in time or not at all", async () => {
    const { clock, result } = await asked("example.com", { timeout: 1000 });
    clock.advance(1000);
    await expect(result).rejects.toMatchObject({ kind: "exit-timeout" });
  });

  test("fails with the circuit", async () => {
    const { relays, result } = await asked();
    relays.destroy(8);
    await expect(result).rejects.toMatchObject({ kind: "circuit-collapse" });
  });
});

describe("what closes the circuit", () => {
  test.each([
    ["CONNECTED", CONNECTED, NOTHING, "SECOND_CONNECTED"],
    ["DATA", DATA, one, "WRONG_STATE"],
    ["SENDME", SENDME, NOTHING, "SENDME"],
    ["XOFF", XOFF, Uint8Array.of(0), "XOFF"],
    ["XON", XON, Uint8Array.of(0, 0, 0, 0, 9), "XON"],
    ["a RESOLVED that does not parse", RESOLVED, one, "MALFORMED"],
  ] as const)("%s in answer to RESOLVE", async (_, command, data, rule) => {
    const { circuit, result, send } = await asked();
    send(command, data);
    const code = `ALLIUM_E_CIRCUIT_${rule}`;
    expect(await circuit.closed).toMatchObject({ kind: "protocol-violation", code });
    await expect(result).rejects.toMatchObject({ code });
  });

  test.each([0, 1])("RESOLVED from hop %i", async (hop) => {
    const { circuit, send } = await asked();
    send(RESOLVED, NOTHING, hop);
    expect(await circuit.closed).toMatchObject({ code: "ALLIUM_E_CIRCUIT_WRONG_HOP" });
  });

  test("a second RESOLVED", async () => {
    const { circuit, say } = await asked();
    say(answer("93.184.216.34"));
    expect(circuit.isClosed).toBe(false);
    say(answer("93.184.216.34"));
    expect(await circuit.closed).toMatchObject({ code: "ALLIUM_E_CIRCUIT_UNKNOWN_STREAM" });
  });
});

describe("after an abort", () => {
  async function aborted() {
    const controller = new AbortController();
    const rig = await asked("example.com", { signal: controller.signal });
    controller.abort();
    await expect(rig.result).rejects.toMatchObject({ kind: "aborted" });
    expect(rig.circuit.streamCount).toBe(0);
    return rig;
  }

  test("one RESOLVED may still come, and nothing after it", async () => {
    const { circuit, relays, send } = await aborted();
    await relays.idle();
    expect(relays.received.at(-1)).toMatchObject({ command: END, hop: 2 });
    send(RESOLVED);
    expect(circuit.isClosed).toBe(false);
    send(RESOLVED);
    expect(await circuit.closed).toMatchObject({ code: "ALLIUM_E_CIRCUIT_UNKNOWN_STREAM" });
  });

  test.each([
    ["CONNECTED", CONNECTED, NOTHING, "SECOND_CONNECTED"],
    ["DATA", DATA, one, "WRONG_STATE"],
    ["SENDME", SENDME, NOTHING, "SENDME"],
  ] as const)("no %s may", async (_, command, data, rule) => {
    const { circuit, send } = await aborted();
    send(command, data);
    expect(await circuit.closed).toMatchObject({ code: `ALLIUM_E_CIRCUIT_${rule}` });
  });

  test("no RESOLVED may come on a stream that was begun otherwise", async () => {
    const { circuit, relays } = await testCircuit(2);
    const stream = await circuit.openStream("example.com", 80);
    const [exit] = relays.streams();
    stream.close();
    relays.send(1, RESOLVED, exit?.id ?? 0, NOTHING);
    expect(await circuit.closed).toMatchObject({ code: "ALLIUM_E_CIRCUIT_RESOLVED" });
  });
});

test.each(["localhost", "127.0.0.1", "exa mple.com", "a\0b", "", "127.1"])(
  "%j is never sent to an exit",
  async (hostname) => {
    const { circuit, relays } = await testCircuit(1);
    await expect(circuit.resolve(hostname)).rejects.toMatchObject({ kind: "bad-api-usage" });
    expect(relays.received).toEqual([]);
  },
);
