// Consensus parameters: C tor's defaults, its bounds, and which names each kind of path reads.

import { describe, expect, test } from "vitest";
import { CongestionAlgorithm, congestionParams } from "../../../src/circuit/flow/params.ts";

/** As NetDir's `param` reads them. */
const read =
  (consensus: Readonly<Record<string, number>> = {}) =>
  (name: string, fallback: number, min: number, max: number) =>
    Math.min(max, Math.max(min, consensus[name] ?? fallback));

const everything = (value: number) => (_name: string, _fallback: number, min: number, max: number) =>
  Math.min(max, Math.max(min, value));

const INT32_MAX = 2 ** 31 - 1;

describe("defaults", () => {
  test("of an exit circuit", () => {
    expect(congestionParams(read(), "exit")).toEqual({
      alg: CongestionAlgorithm.VEGAS,
      sendmeInc: 31,
      cwndInit: 124,
      cwndMin: 124,
      cwndMax: INT32_MAX,
      cwndIncPctSs: 100,
      cwndInc: 1,
      cwndIncRate: 31,
      ewmaCwndPct: 50,
      ewmaMax: 10,
      ewmaSs: 2,
      rttResetPct: 100,
      ssMax: 5000,
      ssCap: 600,
      alpha: 186,
      beta: 248,
      gamma: 186,
      delta: 310,
      cwndFullGap: 4,
      cwndFullMinPct: 25,
      cwndFullPerCwnd: 1,
      streams: {
        xoffClient: 500 * 488,
        xoffExit: 500 * 488,
        xonRate: 500 * 498,
        xonChangePct: 25,
        xonEwmaCnt: 2,
      },
    });
  });

  test.each(["onion", "onion-vanguards"] as const)("of an %s circuit", (path) => {
    const { alpha, beta, gamma, delta, ssCap } = congestionParams(read(), path);
    expect({ alpha, beta, gamma, delta, ssCap }).toEqual({
      alpha: 186,
      beta: 372,
      gamma: 248,
      delta: 434,
      ssCap: 475,
    });
  });
});

describe("bounds", () => {
  test("from below", () => {
    const { streams, ...params } = congestionParams(everything(-INT32_MAX), "exit");
    expect(params).toEqual({
      alg: CongestionAlgorithm.FIXED,
      sendmeInc: 1,
      cwndInit: 31,
      cwndMin: 31,
      cwndMax: 500,
      cwndIncPctSs: 1,
      cwndInc: 1,
      cwndIncRate: 1,
      ewmaCwndPct: 1,
      ewmaMax: 2,
      ewmaSs: 2,
      rttResetPct: 0,
      ssMax: 500,
      ssCap: 100,
      alpha: 0,
      beta: 0,
      gamma: 0,
      delta: 0,
      cwndFullGap: 0,
      cwndFullMinPct: 0,
      cwndFullPerCwnd: 0,
    });
    expect(streams).toEqual({
      xoffClient: 488,
      xoffExit: 488,
      xonRate: 498,
      xonChangePct: 1,
      xonEwmaCnt: 2,
    });
  });

  test("from above", () => {
    const { streams, ...params } = congestionParams(everything(INT32_MAX), "onion");
    expect(params).toEqual({
      alg: CongestionAlgorithm.VEGAS,
      sendmeInc: 254,
      cwndInit: 10_000,
      cwndMin: 1000,
      cwndMax: INT32_MAX,
      cwndIncPctSs: 500,
      cwndInc: 1000,
      cwndIncRate: 250,
      ewmaCwndPct: 255,
      ewmaMax: INT32_MAX,
      ewmaSs: INT32_MAX,
      rttResetPct: 100,
      ssMax: INT32_MAX,
      ssCap: INT32_MAX,
      alpha: 1000,
      beta: 1000,
      gamma: 1000,
      delta: INT32_MAX,
      cwndFullGap: 32_767,
      cwndFullMinPct: 100,
      cwndFullPerCwnd: 1,
    });
    expect(streams).toEqual({
      xoffClient: 10_000 * 488,
      xoffExit: 10_000 * 488,
      xonRate: 5000 * 498,
      xonChangePct: 99,
      xonEwmaCnt: 100,
    });
  });
});

describe("names", () => {
  test.each([
    [0, CongestionAlgorithm.FIXED],
    [1, CongestionAlgorithm.VEGAS],
    [2, CongestionAlgorithm.VEGAS],
    [3, CongestionAlgorithm.VEGAS],
  ])("cc_alg %d", (value, alg) => {
    expect(congestionParams(read({ cc_alg: value }), "exit").alg).toBe(alg);
  });

  test("every other parameter is read by its own name", () => {
    const names: string[] = [];
    congestionParams((name, fallback) => {
      names.push(name);
      return fallback;
    }, "exit");
    expect(new Set(names).size).toBe(names.length);
    const numbers = Object.fromEntries(names.map((name, i) => [name, 40 + i]));
    const changed = congestionParams(read({ ...numbers, cc_cwnd_max: 900, cc_ss_max: 901 }), "exit");
    expect(changed).toMatchObject({
      sendmeInc: numbers.cc_sendme_inc,
      cwndInit: numbers.cc_cwnd_init,
      cwndMin: numbers.cc_cwnd_min,
      cwndMax: 900,
      cwndIncPctSs: numbers.cc_cwnd_inc_pct_ss,
      cwndInc: numbers.cc_cwnd_inc,
      cwndIncRate: numbers.cc_cwnd_inc_rate,
      ewmaCwndPct: numbers.cc_ewma_cwnd_pct,
      ewmaMax: numbers.cc_ewma_max,
      ewmaSs: numbers.cc_ewma_ss,
      rttResetPct: numbers.cc_rtt_reset_pct,
      ssMax: 901,
      alpha: numbers.cc_vegas_alpha_exit,
      beta: numbers.cc_vegas_beta_exit,
      gamma: numbers.cc_vegas_gamma_exit,
      delta: numbers.cc_vegas_delta_exit,
      cwndFullGap: numbers.cc_cwnd_full_gap,
      cwndFullMinPct: numbers.cc_cwnd_full_minpct,
      streams: {
        xoffClient: 488 * (numbers.cc_xoff_client as number),
        xoffExit: 488 * (numbers.cc_xoff_exit as number),
        xonRate: 498 * (numbers.cc_xon_rate as number),
        xonChangePct: numbers.cc_xon_change_pct,
        xonEwmaCnt: numbers.cc_xon_ewma_cnt,
      },
    });
    expect(congestionParams(read({ cc_sscap_exit: 700 }), "exit").ssCap).toBe(700);
    expect(congestionParams(read({ cc_cwnd_full_per_cwnd: 0 }), "exit").cwndFullPerCwnd).toBe(0);
  });

  test("a path reads its own kind's, a single onion service the exit's", () => {
    const consensus = {
      cc_vegas_alpha_exit: 1,
      cc_vegas_alpha_onion: 2,
      cc_sscap_exit: 101,
      cc_sscap_onion: 102,
    };
    const of = (path: Parameters<typeof congestionParams>[1]) => {
      const { alpha, ssCap } = congestionParams(read(consensus), path);
      return [alpha, ssCap];
    };
    expect(of("exit")).toEqual([1, 101]);
    expect(of("onion-service-single")).toEqual([1, 101]);
    expect(of("onion")).toEqual([2, 102]);
    expect(of("onion-vanguards")).toEqual([2, 102]);
  });
});
