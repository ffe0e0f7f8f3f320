// What a relay may send, and when: every relay command, with and without a stream id, from the last hop and from another, in
// every state of a stream. What must happen is written out here, from tor-spec 5.4, 6 and 7 and proposal 349.

import { describe, expect, test } from "vitest";
import { concat } from "../../src/base/bytes.ts";
import { isTorError } from "../../src/base/errors.ts";
import type { StreamFlow } from "../../src/circuit/flow/api.ts";
import { HalfClosedStream } from "../../src/circuit/half-closed.ts";
import type { Hop } from "../../src/circuit/hop.ts";
import { receiveRelayCell } from "../../src/circuit/inbound.ts";
import { Phase, type StreamEntry } from "../../src/circuit/stream-entry.ts";

const ID = 7;
const PHASES = ["CONNECTING", "RESOLVING", "OPEN", "HALF_CONNECTING", "HALF_RESOLVING", "HALF_OPEN"] as const;
type PhaseName = (typeof PHASES)[number];
/** Where the stream of the cell's id is: on the hop that sent the cell and in this phase, on another hop, or nowhere. */
type Place = PhaseName | "another hop's" | "unknown";
const PLACES: readonly Place[] = [...PHASES, "another hop's", "unknown"];

/** Data that each command can carry. Whatever is not allowed must be refused before anybody looks at it. */
const BODIES: Readonly<Record<number, Uint8Array>> = {
  2: Uint8Array.of(1, 2, 3),
  3: Uint8Array.of(6),
  4: Uint8Array.of(93, 184, 216, 34, 0, 0, 1, 0),
  5: Uint8Array.of(1, 0, 2, 8, 9),
  9: Uint8Array.of(8),
  12: Uint8Array.of(4, 4, 93, 184, 216, 34, 0, 0, 0, 9),
  15: Uint8Array.of(0, 2, 8, 9),
  43: Uint8Array.of(0),
  44: Uint8Array.of(0, 0, 0, 0, 5),
};
const bodyOf = (command: number) => BODIES[command] ?? Uint8Array.of(0, 0);

/** What a stream is asked to do with a message that may come. */
const STREAM_ACTS: Readonly<Record<number, string>> = {
  2: "hop counts data; data 1,2,3",
  3: "end 6; stream over",
  4: "connected 93,184,216,34,0,0,1,0",
  5: "sendme",
  12: "resolved 4,4,93,184,216,34,0,0,0,9; stream over",
  43: "xoff 0",
  44: "xon 0,0,0,0,5",
};

const FLOWING: readonly PhaseName[] = ["OPEN", "HALF_OPEN"];
const FED: readonly PhaseName[] = [...FLOWING, "CONNECTING", "HALF_CONNECTING"];
/** The phases of a stream in which a command may come on it, and what it is otherwise. */
const STREAM_TRUTH: Readonly<Record<number, readonly [phases: readonly PhaseName[], otherwise: string]>> = {
  2: [FLOWING, "WRONG_STATE"],
  3: [PHASES, "never"],
  4: [["CONNECTING", "HALF_CONNECTING"], "SECOND_CONNECTED"],
  5: [FLOWING, "SENDME"],
  12: [["RESOLVING", "HALF_RESOLVING"], "RESOLVED"],
  43: [FED, "XOFF"],
  44: [FED, "XON"],
};
/** BEGIN, EXTEND, EXTENDED, TRUNCATE, RESOLVE, BEGIN_DIR, EXTEND2: what only clients say, or nobody any more. */
const NEVER_SENT = [1, 6, 7, 8, 11, 13, 14];
/** TRUNCATED, DROP, EXTENDED2: of the circuit alone. */
const CIRCUIT_ONLY = [9, 10, 15];

function truth(command: number, streamId: number, place: Place, fromLast: boolean): string {
  if (NEVER_SENT.includes(command)) return "UNEXPECTED_COMMAND";
  const stream = STREAM_TRUTH[command];
  if (stream === undefined && !CIRCUIT_ONLY.includes(command)) return "UNKNOWN_COMMAND";
  if (streamId === 0) return circuitTruth(command, fromLast);
  if (stream === undefined) return "STREAM_ID";
  if (place === "unknown") return "UNKNOWN_STREAM";
  if (place === "another hop's") return "WRONG_HOP";
  const [phases, otherwise] = stream;
  return phases.includes(place) ? (STREAM_ACTS[command] as string) : otherwise;
}

function circuitTruth(command: number, fromLast: boolean): string {
  if (command === 5) return "circuit sendme 1,0,2,8,9";
  if (command === 9) return "TRUNCATED_CHANNEL_CLOSED";
  if (command === 10) return "DROP";
  if (command === 15) return fromLast ? "extended 8,9" : "WRONG_HOP";
  return "STREAM_ID";
}

/** What receiveRelayCell makes of a cell: the acts that it leads to, or the rule that it breaks. */
function received(
  command: number,
  streamId: number,
  place: Place,
  fromLast: boolean,
  data: Uint8Array,
): string {
  const acts: string[] = [];
  const act = (name: string) => (data: Uint8Array) => void acts.push(`${name} ${data.join()}`);
  const stream: StreamEntry = {
    phase: Phase[PHASES.find((name) => name === place) ?? "OPEN"],
    receiveData: (bytes, from, to) => void acts.push(`data ${bytes.subarray(from, to).join()}`),
    receiveConnected: act("connected"),
    receiveResolved: act("resolved"),
    receiveSendme: () => void acts.push("sendme"),
    receiveXon: act("xon"),
    receiveXoff: act("xoff"),
    receiveEnd: (reason) => void acts.push(`end ${reason}`),
  };
  const hop = (mine: StreamEntry | undefined) =>
    ({
      streams: { get: (id: number) => (id === ID ? mine : undefined) },
      dataReceived: () => acts.push("hop counts data"),
      circuitSendmeReceived: act("circuit sendme"),
      streamOver: (id: number) => acts.push(id === ID ? "stream over" : `stream ${id} over`),
    }) as unknown as Hop;
  const sender = hop(place === "another hop's" || place === "unknown" ? undefined : stream);
  const other = hop(place === "another hop's" ? stream : undefined);
  const circuit = { hops: fromLast ? [other, sender] : [sender, other], extended: act("extended") };
  // The data stand somewhere in the cell, among bytes that are nobody's.
  const bytes = concat(new Uint8Array(11).fill(0xee), data, new Uint8Array(5).fill(0xee));
  try {
    receiveRelayCell(circuit, sender, { command, streamId, dataFrom: 11, dataTo: 11 + data.length }, bytes);
  } catch (error) {
    if (!isTorError(error)) throw error;
    acts.push(error.code.replace(/^ALLIUM_E_(CIRCUIT_)?/, ""));
    expect(error.kind).toBe(error.code.includes("TRUNCATED_") ? "circuit-collapse" : "protocol-violation");
  }
  return acts.join("; ");
}

describe.each([
  ["the last hop", true],
  ["another hop", false],
] as const)("from %s", (_, fromLast) => {
  test.each(PLACES)("each command on a stream that is %s", (place) => {
    for (let command = 0; command < 256; command++) {
      expect(received(command, ID, place, fromLast, bodyOf(command)), `command ${command}`).toBe(
        truth(command, ID, place, fromLast),
      );
    }
  });

  test("each command without a stream id, whatever streams there are", () => {
    for (const place of PLACES) {
      for (let command = 0; command < 256; command++) {
        expect(received(command, 0, place, fromLast, bodyOf(command)), `command ${command}`).toBe(
          truth(command, 0, place, fromLast),
        );
      }
    }
  });

  test("each command on a stream with another id than those that there are", () => {
    for (const place of PLACES) {
      for (let command = 0; command < 256; command++) {
        expect(received(command, ID + 1, place, fromLast, bodyOf(command)), `command ${command}`).toBe(
          truth(command, ID + 1, "unknown", fromLast),
        );
      }
    }
  });
});

test("the truth has a place for every command that there is", () => {
  const named = [...NEVER_SENT, ...CIRCUIT_ONLY, ...Object.keys(STREAM_TRUTH).map(Number)];
  expect(named.sort((a, b) => a - b)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 43, 44]);
});

describe("what is refused where it may come", () => {
  const nothing = new Uint8Array(0);

  test.each(["OPEN", "HALF_OPEN"] as const)("DATA without data on a stream that is %s", (place) => {
    expect(received(2, ID, place, true, nothing)).toBe("EMPTY_DATA");
  });

  test("an EXTENDED2 that does not parse", () => {
    expect(received(15, 0, "unknown", true, Uint8Array.of(0, 9, 1))).toBe("MALFORMED");
  });
});

test("END and TRUNCATED may leave their reason out", () => {
  const nothing = new Uint8Array(0);
  expect(received(3, ID, "OPEN", true, nothing)).toBe("end 1; stream over");
  expect(received(9, 0, "unknown", true, nothing)).toBe("TRUNCATED_NONE");
});

describe("the phases of a half-closed stream", () => {
  const calls: string[] = [];
  const flow: StreamFlow = {
    canSend: true,
    dataSent: () => {},
    sendmeReceived: () => void calls.push("sendme"),
    xonReceived: (data) => void calls.push(`xon ${data.join()}`),
    xoffReceived: (data) => void calls.push(`xoff ${data.join()}`),
    dataReceived: (buffered) => void calls.push(`data ${buffered}`),
    consumed: () => {},
    stop: () => {},
  };
  const closed = (phase: number) => new HalfClosedStream(flow, phase, 1000);

  test("are those of the stream when it was ended", () => {
    expect(closed(Phase.CONNECTING).phase).toBe(Phase.HALF_CONNECTING);
    expect(closed(Phase.RESOLVING).phase).toBe(Phase.HALF_RESOLVING);
    expect(closed(Phase.OPEN).phase).toBe(Phase.HALF_OPEN);
  });

  test("go on with CONNECTED, which so may come once", () => {
    const stream = closed(Phase.CONNECTING);
    stream.receiveConnected();
    expect(stream.phase).toBe(Phase.HALF_OPEN);
  });

  test("leave flow control in force: nothing is buffered, but all is counted", () => {
    const stream = closed(Phase.OPEN);
    stream.receiveData();
    stream.receiveSendme();
    stream.receiveXon(Uint8Array.of(1));
    stream.receiveXoff(Uint8Array.of(2));
    expect(calls).toEqual(["data 0", "sendme", "xon 1", "xoff 2"]);
    expect(stream.expires).toBe(1000);
  });

  test("bear 16,384 late DATA cells where no window bounds them, and not one more", () => {
    const stream = closed(Phase.OPEN);
    for (let i = 0; i < 16_384; i++) stream.receiveData();
    expect(() => stream.receiveData()).toThrow(
      expect.objectContaining({ code: "ALLIUM_E_CIRCUIT_STREAM_WINDOW" }),
    );
  });

  test("have a bit each, as those of streams have", () => {
    const bits = PHASES.map((name) => Phase[name]);
    expect(new Set(bits).size).toBe(6);
    for (const bit of bits) expect(bit & (bit - 1)).toBe(0);
  });
});
