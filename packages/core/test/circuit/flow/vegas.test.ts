// The congestion window: C tor's vectors, its SENDMEs, and what holds whatever comes.

import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { SentTags } from "../../../src/circuit/flow/api.ts";
import { CongestionWindow } from "../../../src/circuit/flow/cwnd.ts";
import { type CongestionParams, congestionParams } from "../../../src/circuit/flow/params.ts";
import { RttEstimator } from "../../../src/circuit/flow/rtt.ts";
import { Timepiece } from "../../../src/circuit/flow/timepiece.ts";
import { VegasFlow } from "../../../src/circuit/flow/vegas.ts";
import { RelayCommand } from "../../../src/circuit/relaycell/command.ts";
import { encodeMessage } from "../../../src/circuit/relaycell/messages.ts";
import { ManualClock } from "../../../src/testing/manual-clock.ts";
import { WINDOW_VECTORS } from "./vegas-vectors.ts";

const INC = 31;
const DEFAULTS = congestionParams((_name, fallback) => fallback, "exit");
const code = (rule: string) => expect.objectContaining({ code: `ALLIUM_E_CIRCUIT_${rule}` });

describe("C tor's vectors", () => {
  test.each(WINDOW_VECTORS)("%s", (_name, vectors) => {
    const clock = new ManualClock();
    const rtt = new RttEstimator(new Timepiece(clock), DEFAULTS.rttResetPct);
    const window = new CongestionWindow(DEFAULTS, INC);
    const sends = vectors.map(([sent]) => sent);
    const go = (time: number) => clock.advance(time / 1000 - clock.monotonic());
    for (const [, received, blocked, inflight, ewma, min, ...rest] of vectors) {
      for (; sends[0] !== undefined && sends[0] <= received; sends.shift()) {
        go(sends[0]);
        rtt.sent();
      }
      go(received);
      window.acknowledged(inflight, rtt, blocked === 1);
      expect([rtt.ewma, rtt.min]).toEqual([ewma, min]);
      const flags = [window.inSlowStart, window.isFull, window.wasBlocked].map(Number);
      expect([window.size, ...flags]).toEqual(rest);
    }
  });
});

/** A flow whose cell n (from 1) has a tag of its own. */
class Rig {
  readonly clock = new ManualClock();
  readonly flow: VegasFlow;
  readonly sendmeInc: number;
  blocked = false;
  sent = 0;
  acknowledged = 0;
  tagsAsked = 0;

  constructor(params: CongestionParams = DEFAULTS, sendmeInc = INC) {
    this.sendmeInc = sendmeInc;
    this.flow = new VegasFlow({ params, sendmeInc, clock: this.clock, isBlocked: () => this.blocked });
  }

  send(count = 1): this {
    const tags: SentTags = {
      sentTag: () => {
        this.tagsAsked++;
        return tagOf(this.sent);
      },
    };
    for (let i = 0; i < count; i++) {
      this.sent++;
      this.flow.dataSent(tags);
    }
    return this;
  }

  fill(): this {
    while (this.flow.canSend) this.send();
    return this;
  }

  /** Fills the window and gets every SENDME for it, after `ms`. */
  roundTrip(ms: number): this {
    this.fill();
    this.clock.advance(ms);
    // On a clock that shows the same for all of them, they would be one measurement.
    for (let owed = Math.floor((this.sent - this.acknowledged) / this.sendmeInc); owed > 0; owed--) {
      this.acknowledge();
      this.clock.advance(0.01);
    }
    return this;
  }

  /** The SENDME that is owed next. */
  acknowledge(): void {
    this.acknowledged += this.sendmeInc;
    this.flow.sendmeReceived(sendme(tagOf(this.acknowledged)));
  }
}

function tagOf(cell: number): Uint8Array {
  const tag = new Uint8Array(20);
  new DataView(tag.buffer).setUint32(3, cell);
  return tag;
}

const sendme = (tag: Uint8Array, version = 1) =>
  encodeMessage({ command: RelayCommand.SENDME, version, tag });

describe("sending", () => {
  test("a first window of 124 cells", () => {
    const rig = new Rig().send(123);
    expect(rig.flow.canSend).toBe(true);
    rig.send();
    expect(rig.flow.canSend).toBe(false);
    expect(rig.flow.state).toEqual({ cwnd: 124, inflight: 124, rtt: 0 });
  });

  test("a SENDME lets its 31 cells go, and 31 more while the path is faster than we", () => {
    const rig = new Rig().fill();
    rig.clock.advance(100);
    rig.acknowledge();
    expect(rig.flow.state).toEqual({ cwnd: 155, inflight: 93, rtt: 100 });
    rig.fill();
    expect(rig.sent).toBe(124 + 62);
  });

  test("tags are asked for where a SENDME will carry them", () => {
    const rig = new Rig().send(30);
    expect(rig.tagsAsked).toBe(0);
    rig.send();
    expect(rig.tagsAsked).toBe(1);
    rig.send(124 - 31);
    expect(rig.tagsAsked).toBe(4);
  });

  test.each([1, 25, 30, 32, 100, 254])("every %d cells where that was negotiated", (sendmeInc) => {
    const rig = new Rig(DEFAULTS, sendmeInc);
    for (let round = 0; round < 50; round++) {
      rig.fill();
      expect(rig.tagsAsked).toBe(Math.floor(rig.sent / sendmeInc));
      rig.clock.advance(30);
      rig.acknowledge();
    }
  });

  test("with a window that shrank, what is under way must come in first", () => {
    const rig = new Rig();
    for (let i = 0; i < 6; i++) rig.roundTrip(20);
    rig.fill();
    rig.clock.advance(1900);
    rig.acknowledge();
    const { cwnd, inflight } = rig.flow.state;
    expect(inflight).toBeGreaterThan(cwnd);
    expect(rig.flow.canSend).toBe(false);
    while (!rig.flow.canSend) rig.acknowledge();
    expect(rig.flow.state.inflight).toBeLessThan(rig.flow.state.cwnd);
  });

  test("a blocked channel ends slow start, and one that is blocked no longer is looked at at once", () => {
    const rig = new Rig().roundTrip(50);
    const { cwnd } = rig.flow.state;
    rig.fill();
    rig.blocked = true;
    rig.clock.advance(50);
    rig.acknowledge();
    const bdp = rig.flow.state.cwnd - 186;
    expect(bdp).toBeGreaterThan(0.99 * cwnd);
    expect(bdp).toBeLessThanOrEqual(cwnd);
    rig.acknowledge();
    expect(rig.flow.state.cwnd).toBe(bdp + 186 - 1);
    rig.blocked = false;
    rig.fill();
    rig.acknowledge();
    expect(rig.flow.state.cwnd).toBe(bdp + 186);
  });

  test("a channel that is blocked before the first measurement ends it too", () => {
    const rig = new Rig({ ...DEFAULTS, cwndInit: 400 }).fill();
    rig.blocked = true;
    rig.acknowledge();
    expect(rig.flow.state).toEqual({ cwnd: 124 + 186, inflight: 369, rtt: 0 });
  });

  test("after slow start the window moves once in a window, and when the channel blocks or goes on", () => {
    const rig = new Rig({ ...DEFAULTS, cwndIncRate: 1, cwndInc: 7, gamma: 100 });
    for (let i = 0; i < 4; i++) rig.roundTrip(20);
    // Once in so many SENDMEs: the last round trip ended slow start, and with it a count.
    rig.roundTrip(60);
    const acknowledge = () => {
      rig.fill();
      rig.clock.advance(0.01);
      rig.acknowledge();
    };
    rig.fill();
    rig.clock.advance(20);
    for (let i = 0; i < 2; i++) acknowledge();
    const { cwnd } = rig.flow.state;
    rig.blocked = true;
    acknowledge();
    expect(rig.flow.state.cwnd).toBe(cwnd - 7);
    acknowledge();
    expect(rig.flow.state.cwnd).toBe(cwnd - 7);
    rig.blocked = false;
    acknowledge();
    expect(rig.flow.state.cwnd).toBe(cwnd);
    acknowledge();
    expect(rig.flow.state.cwnd).toBe(cwnd);
  });

  test("slow start ends where it is no faster than what follows", () => {
    const clock = new ManualClock();
    const rtt = new RttEstimator(new Timepiece(clock), 100);
    const window = new CongestionWindow({ ...DEFAULTS, cwndInc: 100, cwndIncRate: 250 }, INC);
    rtt.sent();
    clock.advance(20);
    window.acknowledged(124, rtt, false);
    expect([window.size, window.inSlowStart]).toEqual([155, false]);
  });

  test("the window stays within its most", () => {
    const rig = new Rig({ ...DEFAULTS, cwndMax: 500 });
    for (let i = 0; i < 20; i++) rig.roundTrip(20);
    expect(rig.flow.state.cwnd).toBe(500);
  });

  test("the window stays above its least, at the end of slow start too", () => {
    const rig = new Rig({ ...DEFAULTS, gamma: 0, beta: 0, alpha: 0, delta: 0, rttResetPct: 0 });
    rig.roundTrip(10);
    for (let i = 1; i < 20; i++) {
      rig.roundTrip(100 * i);
      expect(rig.flow.state.cwnd).toBe(124);
    }
  });

  test("a window less than one SENDME's cells would never be answered", () => {
    const rig = new Rig({ ...DEFAULTS, cwndInit: 31, cwndMin: 31 }, 32).fill();
    expect(rig.sent).toBe(32);
    rig.acknowledge();
    expect(rig.flow.canSend).toBe(true);
  });
});

describe("SENDMEs", () => {
  test("must carry the tags of the 31st, 62nd, … cell in order", () => {
    const rig = new Rig().send(100);
    rig.acknowledge();
    rig.acknowledge();
    rig.acknowledge();
    expect(() => rig.flow.sendmeReceived(sendme(tagOf(100)))).toThrow(code("SENDME"));
  });

  test.each([30, 32, 62])("the tag of cell %d where the 31st is owed is refused", (cell) => {
    const rig = new Rig().send(100);
    expect(() => rig.flow.sendmeReceived(sendme(tagOf(cell)))).toThrow(code("SENDME_TAG"));
    expect(rig.flow.state.inflight).toBe(100);
  });

  test("none is owed before 31 cells", () => {
    const rig = new Rig().send(30);
    expect(() => rig.flow.sendmeReceived(sendme(tagOf(30)))).toThrow(code("SENDME"));
    expect(rig.flow.state.inflight).toBe(30);
  });

  test("version 0, other versions and what cannot be read are refused", () => {
    const rig = new Rig().send(31);
    expect(() => rig.flow.sendmeReceived(new Uint8Array(0))).toThrow(code("SENDME_VERSION"));
    expect(() => rig.flow.sendmeReceived(sendme(tagOf(31), 2))).toThrow(code("SENDME_VERSION"));
    expect(() => rig.flow.sendmeReceived(Uint8Array.of(1, 0))).toThrow(code("MALFORMED"));
  });
});

describe("receiving", () => {
  test.each([1, 31, 32])("a SENDME is due with every %dth cell", (sendmeInc) => {
    const { flow } = new Rig(DEFAULTS, sendmeInc);
    const due = Array.from({ length: 320 }, (_, i) => i + 1).filter(() => flow.dataReceived());
    expect(due).toEqual(Array.from({ length: Math.floor(320 / sendmeInc) }, (_, i) => (i + 1) * sendmeInc));
  });
});

test("cells leave room for random bytes now and then", () => {
  const { flow } = new Rig();
  const lengths = new Set(Array.from({ length: 1000 }, () => flow.dataLength(100_000, 488)));
  expect(lengths).toEqual(new Set([488, 468]));
});

describe("whatever comes", () => {
  const params = fc
    .record({
      cc_cwnd_init: fc.integer({ min: 31, max: 3000 }),
      cc_cwnd_min: fc.integer({ min: 31, max: 1000 }),
      cc_cwnd_max: fc.integer({ min: 1000, max: 20_000 }),
      cc_cwnd_inc: fc.integer({ min: 1, max: 1000 }),
      cc_cwnd_inc_rate: fc.integer({ min: 1, max: 250 }),
      cc_cwnd_inc_pct_ss: fc.integer({ min: 1, max: 500 }),
      cc_ss_max: fc.integer({ min: 500, max: 6000 }),
      cc_vegas_alpha_exit: fc.integer({ min: 0, max: 1000 }),
      cc_vegas_beta_exit: fc.integer({ min: 0, max: 1000 }),
      cc_vegas_gamma_exit: fc.integer({ min: 0, max: 1000 }),
      cc_vegas_delta_exit: fc.integer({ min: 0, max: 5000 }),
      cc_cwnd_full_per_cwnd: fc.integer({ min: 0, max: 1 }),
      cc_rtt_reset_pct: fc.integer({ min: 0, max: 100 }),
    })
    .map((consensus: Record<string, number>) =>
      congestionParams((name, fallback) => consensus[name] ?? fallback, "exit"),
    );
  const events = fc.array(
    fc.oneof(
      fc.integer({ min: 1, max: 400 }).map((cells) => ({ send: cells })),
      fc.integer({ min: 1, max: 20 }).map((sendmes) => ({ acknowledge: sendmes })),
      fc
        .oneof(fc.constant(0), fc.integer({ min: 0, max: 500 }), fc.constant(90_000))
        .map((ms) => ({ wait: ms })),
      fc.boolean().map((blocked) => ({ blocked })),
    ),
    { maxLength: 150 },
  );

  test("the window is within its bounds, what is under way is counted, and a full window is always answered", () => {
    const sendmeInc = fc.integer({ min: 1, max: 254 });
    fc.assert(
      fc.property(params, sendmeInc, events, (params, sendmeInc, events) => {
        const rig = new Rig(params, sendmeInc);
        for (const event of events) {
          if ("send" in event) for (let i = 0; i < event.send && rig.flow.canSend; i++) rig.send();
          if ("wait" in event) rig.clock.advance(event.wait);
          if ("blocked" in event) rig.blocked = event.blocked;
          if ("acknowledge" in event) {
            for (let i = 0; i < event.acknowledge && rig.sent - rig.acknowledged >= sendmeInc; i++) {
              rig.acknowledge();
            }
          }
          const { cwnd, inflight, rtt } = rig.flow.state;
          expect(inflight).toBe(rig.sent - rig.acknowledged);
          expect(rig.flow.canSend).toBe(inflight < cwnd);
          expect(Number.isSafeInteger(cwnd)).toBe(true);
          expect(cwnd).toBeGreaterThanOrEqual(Math.min(params.cwndInit, Math.max(params.cwndMin, sendmeInc)));
          expect(cwnd).toBeLessThanOrEqual(Math.max(params.cwndInit, sendmeInc, params.cwndMax));
          expect(rtt).toBeGreaterThanOrEqual(0);
          if (!rig.flow.canSend) expect(inflight).toBeGreaterThanOrEqual(sendmeInc);
        }
      }),
    );
  });
});
