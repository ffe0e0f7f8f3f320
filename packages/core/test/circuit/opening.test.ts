// How a stream begins: what is said to the exit, what of its answer is believed, and how waiting for it ends.

import { describe, expect, test } from "vitest";
import { RelayCommand } from "../../src/circuit/relaycell/command.ts";
import { BeginFlag } from "../../src/circuit/relaycell/messages.ts";
import { ManualClock } from "../../src/testing/manual-clock.ts";
import type { ExitStream } from "../../src/testing/relay/exit-stream.ts";
import { connected } from "../../src/testing/relay/messages.ts";
import { hostOf, testCircuit } from "./relay.ts";

describe("opening", () => {
  test("BEGIN names host and port, in lower case and without flags; CONNECTED tells the address", async () => {
    const { circuit, relays } = await testCircuit(3);
    const stream = await circuit.openStream("WWW.Example.com", 443);
    expect(relays.received.at(-1)).toMatchObject({ hop: 2, command: RelayCommand.BEGIN });
    expect([...(relays.received.at(-1)?.data ?? [])]).toEqual([...Buffer.from("www.example.com:443\0")]);
    expect(stream.remoteAddress).toEqual(Uint8Array.of(93, 184, 216, 34));
    expect(circuit.streamCount).toBe(1);
    expect(circuit.unusedSince).toBeUndefined();
  });

  test("the IPv6 flag is set for exits that allow it and for IPv6 literals", async () => {
    const { circuit, relays } = await testCircuit(1);
    await circuit.openStream("example.com", 80, { ipv6: true });
    await circuit.openStream("2606:4700::1111", 80);
    await circuit.openStream("1.1.1.1", 80);
    const flags = relays.streams().map(({ begin }) => "flags" in begin && begin.flags);
    expect(flags).toEqual([BeginFlag.IPV6_OKAY, BeginFlag.IPV6_OKAY, 0]);
  });

  test("BEGIN_DIR has no body, and what its CONNECTED says is ignored", async () => {
    const { circuit, relays } = await testCircuit(1);
    relays.behaviour.begin = (stream) =>
      void relays.send(0, RelayCommand.CONNECTED, stream.id, Uint8Array.of(7));
    const stream = await circuit.openDirectoryStream();
    expect(relays.received.at(-1)).toMatchObject({
      command: RelayCommand.BEGIN_DIR,
      data: new Uint8Array(0),
    });
    expect(stream.remoteAddress).toBeUndefined();
  });

  test.each(["127.0.0.1", "10.0.0.1", "169.254.169.254", "::1", "::ffff:10.0.0.1"])(
    "a CONNECTED to %s is refused, and the stream ended",
    async (address) => {
      const { circuit, relays } = await testCircuit(1);
      relays.behaviour.begin = (stream) => stream.message(connected(address));
      await expect(circuit.openStream("rebinding.example", 80)).rejects.toMatchObject({
        kind: "exit-policy",
        code: "ALLIUM_E_STREAM_INTERNAL_ADDRESS",
      });
      await relays.idle();
      expect(relays.received.at(-1)).toMatchObject({ command: RelayCommand.END, data: Uint8Array.of(1) });
      expect(circuit.streamCount).toBe(0);
      expect(circuit.isClosed).toBe(false);
      await circuit.openStream("rebinding.example", 80, { allowPrivateAddresses: true });
    },
  );

  test.each([
    ["127.0.0.1", "ALLIUM_E_INTERNAL_ADDRESS"],
    ["192.168.1.1", "ALLIUM_E_INTERNAL_ADDRESS"],
    ["::1", "ALLIUM_E_INTERNAL_ADDRESS"],
    ["fd00::1", "ALLIUM_E_INTERNAL_ADDRESS"],
    ["::ffff:127.0.0.1", "ALLIUM_E_INTERNAL_ADDRESS"],
    ["localhost", "ALLIUM_E_INTERNAL_ADDRESS"],
    ["printer.local.", "ALLIUM_E_INTERNAL_ADDRESS"],
    ["127.1", "ALLIUM_E_BAD_HOSTNAME"],
    ["0x7f000001", "ALLIUM_E_BAD_HOSTNAME"],
    ["a.b\0c", "ALLIUM_E_BAD_HOSTNAME"],
    ["a\nb", "ALLIUM_E_BAD_HOSTNAME"],
    ["a b", "ALLIUM_E_BAD_HOSTNAME"],
    ["example.com:80", "ALLIUM_E_BAD_HOSTNAME"],
    ["[::1]", "ALLIUM_E_BAD_HOSTNAME"],
    ["münchen.example", "ALLIUM_E_BAD_HOSTNAME"],
    ["", "ALLIUM_E_BAD_HOSTNAME"],
    [`${"a".repeat(252)}.com`, "ALLIUM_E_BAD_HOSTNAME"],
  ])("%j is never sent to an exit", async (hostname, code) => {
    const { circuit, relays } = await testCircuit(1);
    await expect(circuit.openStream(hostname, 80)).rejects.toMatchObject({ kind: "bad-api-usage", code });
    expect(relays.received).toEqual([]);
  });

  test.each([0, 65536, 1.5, Number.NaN])("port %d is never sent to an exit", async (port) => {
    const { circuit } = await testCircuit(1);
    await expect(circuit.openStream("example.com", port)).rejects.toMatchObject({
      code: "ALLIUM_E_BAD_PORT",
    });
  });

  test("an END instead of CONNECTED is the error of its reason", async () => {
    const { circuit, relays } = await testCircuit(1);
    relays.behaviour.begin = (stream) => stream.end(hostOf(stream) === "closed.example" ? 3 : 2);
    await expect(circuit.openStream("closed.example", 80)).rejects.toMatchObject({
      kind: "remote-refused",
      code: "ALLIUM_E_STREAM_CONNECTREFUSED",
    });
    await expect(circuit.openStream("nowhere.example", 80)).rejects.toMatchObject({
      kind: "remote-host-not-found",
      code: "ALLIUM_E_STREAM_RESOLVEFAILED",
    });
    expect(circuit.streamCount).toBe(0);
    // Nothing is answered to an END.
    await relays.idle();
    expect(relays.received.every(({ command }) => command === RelayCommand.BEGIN)).toBe(true);
  });

  test("an exit that does not answer times out; a late CONNECTED and END are excused", async () => {
    const clock = new ManualClock();
    const { circuit, relays } = await testCircuit(1, clock);
    relays.behaviour.begin = () => {};
    const opening = circuit.openStream("example.com", 80, { timeout: 2000 });
    await relays.idle();
    const [exit] = relays.streams() as [ExitStream];
    clock.advance(2000);
    await expect(opening).rejects.toMatchObject({
      kind: "exit-timeout",
      code: "ALLIUM_E_STREAM_CONNECT_TIMEOUT",
    });
    exit.message(connected("93.184.216.34"));
    exit.end();
    await relays.idle();
    expect(relays.received.at(-1)).toMatchObject({ command: RelayCommand.END });
    expect(circuit.isClosed).toBe(false);
  });

  test("an abort while opening ends that stream alone", async () => {
    const { circuit, relays } = await testCircuit(1);
    const open = await circuit.openStream("example.com", 80);
    relays.behaviour.begin = () => {};
    const controller = new AbortController();
    const opening = circuit.openStream("slow.example", 80, { signal: controller.signal });
    await relays.idle();
    controller.abort();
    await expect(opening).rejects.toMatchObject({ kind: "aborted" });
    await relays.idle();
    expect(relays.received.at(-1)).toMatchObject({ command: RelayCommand.END, data: Uint8Array.of(1) });
    expect(circuit.streamCount).toBe(1);
    open.close();
    expect(circuit.streamCount).toBe(0);
    expect(circuit.unusedSince).toBeDefined();
  });

  test.each([false, true])(
    "whoever has given up already tells the exit nothing (optimistic: %s)",
    async (optimistic) => {
      const { circuit, relays } = await testCircuit(1);
      const options = { signal: AbortSignal.abort(), optimistic };
      await expect(circuit.openStream("secret.example", 80, options)).rejects.toMatchObject({
        kind: "aborted",
      });
      await expect(circuit.openDirectoryStream(options)).rejects.toMatchObject({ kind: "aborted" });
      await expect(circuit.resolve("secret.example", options)).rejects.toMatchObject({ kind: "aborted" });
      await relays.idle();
      expect(relays.received.map(({ command }) => command)).toEqual([]);
      expect(circuit.streamCount).toBe(0);
    },
  );

  test("stream ids are all different and never 0", async () => {
    const { circuit, relays } = await testCircuit(1);
    await Promise.all(Array.from({ length: 300 }, () => circuit.openStream("example.com", 80)));
    const ids = new Set(relays.received.map(({ streamId }) => streamId));
    expect(ids.size).toBe(300);
    expect(ids.has(0)).toBe(false);
  });
});
