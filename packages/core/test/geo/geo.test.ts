import { readFileSync } from "node:fs";
import { deflateSync } from "node:zlib";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { formatIp, isInternalIp, parseIp, type RelayAddress } from "../../src/base/address.ts";
import { concat, Writer } from "../../src/base/bytes.ts";
import { latin1 } from "../../src/base/encoding.ts";
import { isTorError } from "../../src/base/errors.ts";
import { type CountryTable, loadGeoData } from "../../src/geo/index.ts";
import type { GeoData } from "../../src/path/geo.ts";
import { IPV4, IPV6 } from "./vectors.ts";

const FILE = new URL("../../data/geo.bin", import.meta.url);
const REFUSED = expect.objectContaining({ kind: "bad-api-usage", code: "ALLIUM_E_BAD_GEO_DATA" });

function addressOf(text: string): RelayAddress {
  const address = parseIp(text);
  if (address === undefined) throw new Error(text);
  return { family: address.length === 4 ? 4 : 6, address, port: 443 };
}

/** A range's beginning, as words, and its country as an index. */
type Range = readonly [begin: readonly number[], country: number];

function leb128(value: number): number[] {
  return value < 128 ? [value] : [(value % 128) | 128, ...leb128(Math.floor(value / 128))];
}

function section(ranges: readonly Range[]): Uint8Array {
  const numbers = ranges.flatMap(([begin], i) => {
    const before = ranges[i - 1]?.[0] ?? begin.map(() => 0);
    const firstOther = begin.findIndex((word, at) => word !== before[at]);
    return begin.flatMap((word, at) =>
      leb128(firstOther >= 0 && at > firstOther ? word : word - (before[at] ?? 0)),
    );
  });
  const countries = Uint8Array.from(ranges, ([, country]) => country);
  const body = new Writer().u32(ranges.length).bytes(countries).u32(numbers.length);
  return body.bytes(Uint8Array.from(numbers)).finish();
}

function bodyOf(codes: string, ipv4: readonly Range[], ipv6: readonly Range[]): Uint8Array {
  const head = new Writer().vector(1, latin1("a notice")).u8(codes.length / 2);
  return head.bytes(latin1(codes)).bytes(section(ipv4)).bytes(section(ipv6)).finish();
}

function packed(body: Uint8Array, length = body.length): Uint8Array {
  return concat(latin1("ALLIUMGEO1"), new Writer().u32(length).finish(), Uint8Array.from(deflateSync(body)));
}

const NONE: Range[] = [[[0], 0]];
const NONE6: Range[] = [[[0, 0], 0]];

describe("the table that is shipped", () => {
  const table = loadGeoData(readFileSync(FILE));

  it("agrees with its source inside of ranges, at their edges and beside them", async () => {
    const { countryOf } = await table;
    const got = [...IPV4, ...IPV6].map((line) => {
      const [ip = ""] = line.split(" ");
      return `${ip} ${countryOf(addressOf(ip)) ?? "??"}`;
    });
    expect(got).toEqual([...IPV4, ...IPV6]);
    expect(got.length).toBeGreaterThan(350);
  });

  it.each([
    ...["0.0.0.0", "10.0.0.1", "127.0.0.1", "192.168.1.1", "172.16.0.1", "169.254.1.1", "100.64.0.1"],
    ...["224.0.0.1", "255.255.255.255", "::", "::1", "fe80::1", "fd00::1", "ff02::1", "2001:db8::1"],
    ...["::ffff:8.8.8.8", "64:ff9b::808:808", "2002:808:808::1", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"],
  ])("knows no country of %s", async (ip) => {
    expect((await table).countryOf(addressOf(ip))).toBeUndefined();
  });

  it("says where it is from, and is less than a megabyte", async () => {
    expect((await table).notice).toMatch(/^Location Database of \d{4}-\d\d-\d\d by .+, CC BY-SA 4\.0$/);
    expect(readFileSync(FILE).length).toBeLessThan(1_000_000);
  });

  it("is what paths ask for", async () => {
    const geo: GeoData = await table;
    expect(geo.countryOf(addressOf("193.0.0.1"))).toBe("NL");
  });
});

describe("a table", () => {
  it("gives each address the country of the last range that begins at or before it", async () => {
    const starts = fc.uniqueArray(fc.nat(0xffffffff), { minLength: 1, maxLength: 30 });
    const word = fc.oneof(fc.nat(0xffffffff), fc.nat(3));
    const starts6 = fc.uniqueArray(fc.tuple(word, word), { maxLength: 30, selector: String });
    await fc.assert(
      fc.asyncProperty(starts, starts6, fc.array(fc.tuple(word, word)), async (v4, v6, probes) => {
        const countries = ["", "AA", "BB", "CC"];
        const inOrder = (list: readonly (readonly number[])[]) =>
          [...list].sort((a, b) => (a[0] ?? 0) - (b[0] ?? 0) || (a[1] ?? 0) - (b[1] ?? 0));
        const ranges = (list: readonly (readonly number[])[]) =>
          inOrder(list).map((begin, i): Range => [begin, i % 4]);
        const ipv4 = ranges([...new Set([0, ...v4])].map((one) => [one]));
        const ipv6 = ranges([[0, 0], ...v6.filter(([a, b]) => a !== 0 || b !== 0)]);
        const { countryOf } = await loadGeoData(packed(bodyOf("AABBCC", ipv4, ipv6)));
        for (const [family, list] of [[4, ipv4] as const, [6, ipv6] as const]) {
          for (const words of [...probes, ...list.map(([begin]) => begin)]) {
            const address = new Writer().u32(words[0] ?? 0);
            if (family === 6) address.u32(words[1] ?? 0).zeros(8);
            const isBefore = ([[a = 0, b = 0]]: Range) =>
              a < (words[0] ?? 0) || (a === words[0] && (family === 4 || b <= (words[1] ?? 0)));
            const [, index = 0] = list.findLast(isBefore) ?? [];
            const bytes = address.finish();
            const country = countryOf({ family, address: bytes, port: 1 }) ?? "";
            expect(country, formatIp(bytes)).toBe(isInternalIp(bytes) ? "" : countries[index]);
          }
        }
      }),
      { numRuns: 200 },
    );
  });

  it("may be a view into a larger buffer", async () => {
    const bytes = packed(bodyOf("AA", [[[0], 1]], NONE6));
    const { countryOf } = await loadGeoData(
      concat(new Uint8Array(7), bytes, new Uint8Array(9)).subarray(7, 7 + bytes.length),
    );
    expect(countryOf(addressOf("8.8.8.8"))).toBe("AA");
  });
});

describe("bytes that are no table", () => {
  it.each<[string, Uint8Array, string]>([
    ["nothing", new Uint8Array(0), "input ends"],
    ["another file", new Uint8Array(readFileSync(new URL(import.meta.url))), "it begins otherwise"],
    ["a head alone", packed(new Uint8Array(0)).subarray(0, 14), "it is damaged"],
    ["an empty body", packed(new Uint8Array(0)), "input ends"],
    ["a body longer than it says", packed(bodyOf("AA", NONE, NONE6), 10), "it is longer than it says"],
    ["a body shorter than it says", packed(bodyOf("AA", NONE, NONE6), 1000), "it is shorter than it says"],
    ["a body that says it is huge", packed(bodyOf("AA", NONE, NONE6), 2 ** 32 - 1), "it is too long"],
    ["a bomb", packed(new Uint8Array(64 * 1024 * 1024), 8 * 1024 * 1024), "it is longer than it says"],
    [
      "bytes after the tables",
      packed(concat(bodyOf("AA", NONE, NONE6), new Uint8Array(1))),
      "1 unexpected bytes",
    ],
    ["a country in small letters", packed(bodyOf("aa", NONE, NONE6)), "other letters"],
    ["a country that is not listed", packed(bodyOf("AA", [[[0], 2]], NONE6)), "an unknown country"],
    ["no ranges", packed(bodyOf("AA", [], NONE6)), "no ranges"],
    ["a first range that begins late", packed(bodyOf("AA", [[[1], 1]], NONE6)), "ranges out of order"],
    [
      "two ranges that begin at one place",
      packed(bodyOf("AA", [...NONE, ...NONE], NONE6)),
      "ranges out of order",
    ],
    [
      "two such ranges of IPv6",
      packed(bodyOf("AA", NONE, [...NONE6, [[5, 6], 1], [[5, 6], 0]])),
      "ranges out of order",
    ],
    [
      "a range beyond the last address",
      packed(bodyOf("AA", [...NONE, [[2 ** 32 + 5], 1]], NONE6)),
      "beyond the last address",
    ],
    [
      "a number that is too long",
      packed(bodyOf("AA", [...NONE, [[2 ** 40], 1]], NONE6)),
      "a number that is too long",
    ],
  ])("are refused: %s", async (_, bytes, message) => {
    await expect(loadGeoData(bytes)).rejects.toEqual(REFUSED);
    await expect(loadGeoData(bytes)).rejects.toThrow(message);
  });

  it.each([
    ["more", [0, 7], "more numbers than ranges"],
    ["fewer", [], "fewer numbers than ranges"],
    ["half", [0x80], "it ends inside of a number"],
  ])("are refused when a table has %s numbers than its one range", async (_, numbers, message) => {
    const ipv4 = new Writer().u32(1).u8(0).u32(numbers.length).bytes(Uint8Array.from(numbers)).finish();
    const body = concat(Uint8Array.of(0, 0), ipv4, section(NONE6));
    await expect(loadGeoData(packed(body))).rejects.toEqual(REFUSED);
    await expect(loadGeoData(packed(body))).rejects.toThrow(message);
  });

  it("are refused when they are of another type", async () => {
    await expect(loadGeoData("geo" as unknown as Uint8Array)).rejects.toEqual(REFUSED);
  });

  const good = packed(
    bodyOf(
      "AABB",
      [
        [[0], 0],
        [[500], 1],
        [[70_000], 2],
      ],
      [...NONE6, [[9, 9], 1]],
    ),
  );

  it("are refused when any bit of a table was changed or any of its end is missing", async () => {
    await loadGeoData(good);
    let accepted = 0;
    for (let at = 0; at < good.length; at++) {
      for (let bit = 0; bit < 8; bit++) {
        const bytes = good.slice();
        bytes[at] = (bytes[at] as number) ^ (1 << bit);
        const loading = loadGeoData(bytes).then(() => accepted++);
        await loading.catch((error) => expect(error, `byte ${at}, bit ${bit}`).toEqual(REFUSED));
      }
      await expect(loadGeoData(good.subarray(0, at))).rejects.toEqual(REFUSED);
    }
    // Deflate fills its last byte up with bits that mean nothing (RFC 1951 3.1.1): seven at the most.
    expect(accepted).toBeLessThan(8);
  });

  it("never give anything but a table or that error, whatever the body is", async () => {
    const body = bodyOf(
      "AABB",
      [
        [[0], 0],
        [[500], 1],
        [[70_000], 2],
      ],
      [...NONE6, [[9, 9], 1]],
    );
    const edit = fc.tuple(fc.nat(body.length - 1), fc.nat(255));
    const damaged = fc.tuple(fc.array(edit, { maxLength: 4 }), fc.nat(body.length)).map(([edits, cut]) => {
      const bytes = body.slice();
      for (const [at, value] of edits) bytes[at] = value;
      return cut % 3 === 0 ? bytes.subarray(0, cut) : bytes;
    });
    let refused = 0;
    await fc.assert(
      fc.asyncProperty(fc.oneof(damaged, fc.uint8Array({ maxLength: 60 })), async (bytes) => {
        const table = await loadGeoData(packed(bytes)).catch((error: unknown) => {
          refused++;
          expect(isTorError(error) && error.code).toBe("ALLIUM_E_BAD_GEO_DATA");
        });
        if (table !== undefined) expectTotal(table);
      }),
      { numRuns: 1500 },
    );
    expect(refused).toBeGreaterThan(500);
  });
});

function expectTotal({ countryOf }: CountryTable): void {
  for (const ip of ["8.8.8.8", "223.255.255.255", "2a00::1", "2600:1::"]) {
    expect(countryOf(addressOf(ip)) ?? "AA").toMatch(/^[A-Z]{2}$/);
  }
}
