// Consensus parameters of congestion control and stream flow control (proposal 324 6.5), with the defaults and bounds of
// C tor 0.4.9, which differ from the proposal's. Not here: cc_bwe_min, which nothing that is in use reads.

/** A parameter of the consensus, `fallback` where it says nothing, held within [min, max]. */
export type ReadParam = (name: string, fallback: number, min: number, max: number) => number;

/** What a circuit is for: longer ones stand in more queues. */
export type CongestionPath = "exit" | "onion" | "onion-service-single" | "onion-vanguards";

/** `cc_alg` (proposal 324 6.5.1): windows of fixed size, or Tor Vegas. */
export const CongestionAlgorithm = { FIXED: 0, VEGAS: 2 } as const;

export interface CongestionParams {
  /** A CongestionAlgorithm. */
  readonly alg: number;
  /** Cells that one SENDME acknowledges; a circuit's own value is negotiated and may differ from it. */
  readonly sendmeInc: number;
  /** Cells: the first congestion window, the least and the most. */
  readonly cwndInit: number;
  readonly cwndMin: number;
  readonly cwndMax: number;
  /** Slow start: percent of sendmeInc by which a SENDME widens the window. */
  readonly cwndIncPctSs: number;
  /** After it: cells by which the window changes, and how often in one window of SENDMEs. */
  readonly cwndInc: number;
  readonly cwndIncRate: number;
  /** N of the RTT's N-EWMA: percent of the SENDMEs between two updates of the window, its most, and N in slow start. */
  readonly ewmaCwndPct: number;
  readonly ewmaMax: number;
  readonly ewmaSs: number;
  /** Weight in percent of the larger of least and current RTT, when a window at its least resets the least RTT. */
  readonly rttResetPct: number;
  /** The window that ends slow start. */
  readonly ssMax: number;
  /** The window above which slow start grows more slowly (RFC 3742). */
  readonly ssCap: number;
  /** Cells in queues: below alpha the window grows, above beta it shrinks, delta caps it, gamma ends slow start. */
  readonly alpha: number;
  readonly beta: number;
  readonly gamma: number;
  readonly delta: number;
  /** A window counts as full up to this many SENDMEs short, and no longer below this percentage. */
  readonly cwndFullGap: number;
  readonly cwndFullMinPct: number;
  /** 1: must have been full once in a window of SENDMEs, 0: between two updates. */
  readonly cwndFullPerCwnd: number;
  readonly streams: StreamFlowParams;
}

export interface StreamFlowParams {
  /** Bytes that may wait at a client's or an exit's end of a stream before it sends XOFF. */
  readonly xoffClient: number;
  readonly xoffExit: number;
  /** Bytes after which a drain rate is computed. */
  readonly xonRate: number;
  /** Percent by which the drain rate must change for another XON. */
  readonly xonChangePct: number;
  /** N of the drain rate's N-EWMA. */
  readonly xonEwmaCnt: number;
}

const INT16_MAX = 2 ** 15 - 1;
const INT32_MAX = 2 ** 31 - 1;
/** Cells in a TLS record of 16 KiB (proposal 324 6.5.1). */
const RECORD_CELLS = 31;
/** Cells of a relay's outbuf, of which a path has one for each hop (proposal 324 6.5.3). */
const OUTBUF_CELLS = 2 * RECORD_CELLS;
/** The fewest and the most bytes of data that a relay cell of any format may be counted with (tor-spec 6.1, proposal 359). */
const PAYLOAD_MIN = 488;
const PAYLOAD_MAX = 498;

/** Defaults of one kind of path, in outbufs and cells (congestion_control_vegas.c of C tor 0.4.9). */
const PATHS = {
  exit: { alpha: 3, beta: 4, gamma: 3, delta: 5, ssCap: 600 },
  onion: { alpha: 3, beta: 6, gamma: 4, delta: 7, ssCap: 475 },
} as const;

/** @param path of the circuit that the parameters are for */
export function congestionParams(param: ReadParam, path: CongestionPath): CongestionParams {
  return {
    alg: algorithm(param),
    sendmeInc: param("cc_sendme_inc", RECORD_CELLS, 1, 254),
    cwndInit: param("cc_cwnd_init", 4 * RECORD_CELLS, RECORD_CELLS, 10_000),
    cwndMin: param("cc_cwnd_min", 4 * RECORD_CELLS, RECORD_CELLS, 1000),
    cwndMax: param("cc_cwnd_max", INT32_MAX, 500, INT32_MAX),
    cwndIncPctSs: param("cc_cwnd_inc_pct_ss", 100, 1, 500),
    cwndInc: param("cc_cwnd_inc", 1, 1, 1000),
    cwndIncRate: param("cc_cwnd_inc_rate", RECORD_CELLS, 1, 250),
    ewmaCwndPct: param("cc_ewma_cwnd_pct", 50, 1, 255),
    ewmaMax: param("cc_ewma_max", 10, 2, INT32_MAX),
    ewmaSs: param("cc_ewma_ss", 2, 2, INT32_MAX),
    rttResetPct: param("cc_rtt_reset_pct", 100, 0, 100),
    ssMax: param("cc_ss_max", 5000, 500, INT32_MAX),
    ...vegasParams(param, path),
    cwndFullGap: param("cc_cwnd_full_gap", 4, 0, INT16_MAX),
    cwndFullMinPct: param("cc_cwnd_full_minpct", 25, 0, 100),
    cwndFullPerCwnd: param("cc_cwnd_full_per_cwnd", 1, 0, 1),
    streams: streamFlowParams(param),
  };
}

/** Westwood and NOLA were given up; like C tor we take Vegas for them. */
function algorithm(param: ReadParam): number {
  const { FIXED, VEGAS } = CongestionAlgorithm;
  return param("cc_alg", VEGAS, 0, 3) === FIXED ? FIXED : VEGAS;
}

function vegasParams(param: ReadParam, path: CongestionPath) {
  // A single onion service is one hop from its rendezvous point: three hops in all, as to an exit.
  const kind = path === "exit" || path === "onion-service-single" ? "exit" : "onion";
  const { alpha, beta, gamma, delta, ssCap } = PATHS[kind];
  return {
    alpha: param(`cc_vegas_alpha_${kind}`, alpha * OUTBUF_CELLS, 0, 1000),
    beta: param(`cc_vegas_beta_${kind}`, beta * OUTBUF_CELLS, 0, 1000),
    gamma: param(`cc_vegas_gamma_${kind}`, gamma * OUTBUF_CELLS, 0, 1000),
    delta: param(`cc_vegas_delta_${kind}`, delta * OUTBUF_CELLS, 0, INT32_MAX),
    ssCap: param(`cc_sscap_${kind}`, ssCap, 100, INT32_MAX),
  };
}

function streamFlowParams(param: ReadParam): StreamFlowParams {
  return {
    xoffClient: param("cc_xoff_client", 500, 1, 10_000) * PAYLOAD_MIN,
    xoffExit: param("cc_xoff_exit", 500, 1, 10_000) * PAYLOAD_MIN,
    xonRate: param("cc_xon_rate", 500, 1, 5000) * PAYLOAD_MAX,
    xonChangePct: param("cc_xon_change_pct", 25, 1, 99),
    xonEwmaCnt: param("cc_xon_ewma_cnt", 2, 2, 100),
  };
}
