import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { describe, expect, it } from "vitest";
import { parseProtocols } from "../../src/directory/documents/protocols.ts";

const refused = expect.objectContaining({ code: "ALLIUM_E_BAD_DOCUMENT" });

describe("subprotocol lists (dir-spec 2.1.1, tor-spec 9)", () => {
  it("hold the versions that they name and no others", () => {
    const protocols = parseProtocols("Link=3-5 Relay=1-2,5,63 Empty= Zero=0");
    const held = (name: string) =>
      Array.from({ length: 65 }, (_, i) => i).filter((i) => protocols.supports(name, i));
    expect(held("Link")).toEqual([3, 4, 5]);
    expect(held("Relay")).toEqual([1, 2, 5, 63]);
    expect(held("Zero")).toEqual([0]);
    expect([held("Empty"), held("Other")]).toEqual([[], []]);
  });

  it("say what another list lacks", () => {
    const wanted = parseProtocols("Link=4 Relay=0-63");
    expect(wanted.missingFrom(parseProtocols("Link=4-5 Relay=1-62"))).toEqual(["Relay=0", "Relay=63"]);
  });

  it("may not have more entries than there can be subprotocols", () => {
    const list = (length: number) => Array.from({ length }, (_, i) => `p${i}=`).join(" ");
    expect(parseProtocols(list(64)).supports("p0", 0)).toBe(false);
    expect(() => parseProtocols(list(65))).toThrow(refused);
  });

  it("take little memory: a consensus of 16 MiB that nobody has verified may hold 50,000", () => {
    setFlagsFromString("--expose-gc");
    const collect: () => void = runInNewContext("gc");
    const names = Array.from({ length: 63 }, (_, i) => `${i.toString(36)}=`).join(" ");
    collect();
    const before = process.memoryUsage().heapUsed;
    const held = Array.from({ length: 2000 }, (_, i) => parseProtocols(`${names} x${i}=`));
    collect();
    const each = (process.memoryUsage().heapUsed - before) / held.length;
    expect(each).toBeLessThan(8192);
  });
});
