// How many XOFF and XON data of ours allow: the cases of arti's flow_ctrl/xon_xoff/state.rs, and C tor's halving.

import { describe, expect, test } from "vitest";
import { DropMark } from "../../../src/circuit/flow/drop-mark.ts";
import type { StreamFlowParams } from "../../../src/circuit/flow/params.ts";

const of = (xoffClient: number, xoffExit: number, xonRate: number): StreamFlowParams => ({
  xoffClient: xoffClient * 488,
  xoffExit: xoffExit * 488,
  xonRate: xonRate * 498,
  xonChangePct: 1,
  xonEwmaCnt: 2,
});
const XOFF = expect.objectContaining({ code: "ALLIUM_E_CIRCUIT_XOFF" });
const XON = expect.objectContaining({ code: "ALLIUM_E_CIRCUIT_XON" });

describe.each([
  { params: of(2, 4, 8), perXoff: 488, perXon: 1992 },
  { params: of(8, 4, 2), perXoff: 976, perXon: 498 },
])("arti's cases: $perXoff bytes each XOFF, $perXon each advisory XON", ({ params, perXoff, perXon }) => {
  const after = (bytes: number) => {
    const mark = new DropMark(params);
    mark.sent(bytes);
    return mark;
  };

  test("nothing comes first", () => {
    expect(() => new DropMark(params).xon()).toThrow(XON);
    expect(() => new DropMark(params).xoff()).toThrow(XOFF);
  });

  test("XOFF needs its bytes", () => {
    expect(() => after(perXoff - 1).xoff()).toThrow(XOFF);
    after(perXoff).xoff();
  });

  test("XOFF never follows XOFF, whatever was sent", () => {
    const mark = after(perXoff);
    mark.xoff();
    expect(() => mark.xoff()).toThrow(XOFF);
    const more = after(perXoff);
    more.xoff();
    more.sent(perXoff);
    expect(() => more.xoff()).toThrow(XOFF);
  });

  test("XON may follow XOFF at once, and XOFF that after as many bytes again", () => {
    const mark = after(perXoff);
    mark.xoff();
    mark.xon();
    mark.sent(perXoff);
    mark.xoff();
  });

  test("an advisory XON needs its bytes, each of them", () => {
    expect(() => after(perXon - 1).xon()).toThrow(XON);
    const mark = after(3 * perXon);
    for (let i = 0; i < 3; i++) mark.xon();
    expect(() => mark.xon()).toThrow(XON);
  });

  test("XOFF and XON in turn, as many as there are bytes for", () => {
    const mark = after(3 * perXoff);
    for (let i = 0; i < 3; i++) {
      mark.xoff();
      mark.xon();
    }
    expect(() => mark.xoff()).toThrow(XOFF);
  });
});

describe("much data is no licence for many messages", () => {
  const params = of(500, 500, 500);

  test("a gigabyte allows no more than ten megabytes do", () => {
    const mark = new DropMark(params);
    for (let i = 0; i < 2_000_000; i++) mark.sent(498);
    let xons = 0;
    expect(() => {
      for (; xons < 1000; xons++) mark.xon();
    }).toThrow(XON);
    expect(xons).toBeLessThanOrEqual(Math.ceil((10 * 2 ** 20) / 124_500));
    expect(xons).toBeGreaterThanOrEqual(Math.floor((5 * 2 ** 20) / 124_500));
  });

  test("after 200 messages half of what is left is left", () => {
    const mark = new DropMark(of(1, 1, 1));
    mark.sent(10_000_000);
    let xons = 0;
    expect(() => {
      for (; xons < 50_000; xons++) mark.xon();
    }).toThrow(XON);
    expect(xons).toBeLessThan(2000);
    const offs = new DropMark(of(1, 1, 1));
    offs.sent(10_000_000);
    let xoffs = 0;
    expect(() => {
      for (; xoffs < 50_000; xoffs++) {
        offs.xoff();
        offs.xon();
      }
    }).toThrow(XOFF);
    expect(xoffs).toBeLessThan(2000);
  });

  test("an exit that sends as C tor does is never refused", () => {
    const mark = new DropMark(params);
    for (let i = 0; i < 20_000; i++) {
      for (let sent = 0; sent < 500 * 498; sent += 498) mark.sent(498);
      if (i % 3 === 0) mark.xoff();
      mark.xon();
    }
    expect(mark.isOff).toBe(false);
  });
});
