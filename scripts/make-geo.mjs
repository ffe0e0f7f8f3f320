// Makes packages/core/data/geo.bin, the table of countries that `@allium/core/geo` reads, from the two files of Debian's
// package tor-geoipdb: `node scripts/make-geo.mjs [directory of geoip and geoip6]`. The format is described in
// packages/core/data/README.md. Plain JavaScript without dependencies.

import { readFileSync, writeFileSync } from "node:fs";
import { isIPv6 } from "node:net";
import { join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { deflateSync } from "node:zlib";

const OUTPUT = fileURLToPath(new URL("../packages/core/data/geo.bin", import.meta.url));

/** ISO 3166-1, what is assigned. The source has others too, such as EU and AP, which are no countries. */
const COUNTRIES = new Set(
  `AD AE AF AG AI AL AM AO AQ AR AS AT AU AW AX AZ BA BB BD BE BF BG BH BI BJ BL BM BN BO BQ BR BS BT BV BW BY BZ CA CC CD
  CF CG CH CI CK CL CM CN CO CR CU CV CW CX CY CZ DE DJ DK DM DO DZ EC EE EG EH ER ES ET FI FJ FK FM FO FR GA GB GD GE GF
  GG GH GI GL GM GN GP GQ GR GS GT GU GW GY HK HM HN HR HT HU ID IE IL IM IN IO IQ IR IS IT JE JM JO JP KE KG KH KI KM KN
  KP KR KW KY KZ LA LB LC LI LK LR LS LT LU LV LY MA MC MD ME MF MG MH MK ML MM MN MO MP MQ MR MS MT MU MV MW MX MY MZ NA
  NC NE NF NG NI NL NO NP NR NU NZ OM PA PE PF PG PH PK PL PM PN PR PS PT PW PY QA RE RO RS RU RW SA SB SC SD SE SG SH SI
  SJ SK SL SM SN SO SR SS ST SV SX SY SZ TC TD TF TG TH TJ TK TL TM TN TO TR TT TV TW TZ UA UG UM US UY UZ VA VC VE VG VI
  VN VU WF WS YE YT ZA ZM ZW`.split(/\s+/),
);

/** The block of 64 bits that an IPv6 address is in, and whether it is at its edge: all groups after that are `fill`. */
function parseIpv6(text, fill) {
  if (!isIPv6(text)) throw new Error(`not an IPv6 address: ${text}`);
  const [head, tail] = text.split("::").map((half) => (half === "" ? [] : half.split(":")));
  const missing = tail === undefined ? 0 : 8 - head.length - tail.length;
  const groups = [...head, ...new Array(missing).fill("0"), ...(tail ?? [])].map((group) =>
    BigInt(`0x${group}`),
  );
  const block = groups.slice(0, 4).reduce((sum, group) => sum * 65_536n + group, 0n);
  return { block, isEdge: groups.slice(4).every((group) => group === fill) };
}

function countryOf(code) {
  const country = code === "UK" ? "GB" : code;
  return COUNTRIES.has(country) ? country : "";
}

function* linesOf(file) {
  for (const line of readFileSync(file, "latin1").split("\n")) {
    if (line === "" || line.startsWith("#")) continue;
    const fields = line.split(",");
    if (fields.length !== 3) throw new Error(`${file}: ${line}`);
    yield fields;
  }
}

/** Ranges of IPv4 addresses, first and last included. */
function* rangesOf4(file) {
  for (const [from, to, code] of linesOf(file)) {
    yield { first: BigInt(from), last: BigInt(to), country: countryOf(code) };
  }
}

/** Ranges of IPv6 blocks of 64 bits. A block that is only partly of one country is of none. */
function* rangesOf6(file) {
  for (const [from, to, code] of linesOf(file)) {
    const [first, last] = [parseIpv6(from, 0n), parseIpv6(to, 0xffffn)];
    const country = countryOf(code);
    if (!first.isEdge) yield { first: first.block, last: first.block, country: "" };
    const inner = {
      first: first.isEdge ? first.block : first.block + 1n,
      last: last.isEdge ? last.block : last.block - 1n,
    };
    if (inner.first <= inner.last) yield { ...inner, country };
    if (!last.isEdge) yield { first: last.block, last: last.block, country: "" };
  }
}

/** Where each country begins, from 0 on; what no range covers is of none. */
function bordersOf(ranges) {
  const borders = [{ at: 0n, country: "" }];
  const mark = (at, country) => {
    const before = borders.at(-1);
    if (before.at === at) borders.pop();
    if (borders.at(-1)?.country !== country) borders.push({ at, country });
  };
  let next = 0n;
  for (const { first, last, country } of ranges) {
    // Ends of one block that several ranges share come more than once.
    if (first < next && !(country === "" && first === last && first === next - 1n))
      throw new Error(`a range begins before the last one ends: ${first}`);
    if (first > next) mark(next, "");
    mark(first, country);
    next = last + 1n;
  }
  mark(next, "");
  return borders;
}

/** Unsigned LEB128. */
function number(out, value) {
  for (; value >= 128n; value >>= 7n) out.push(Number(value & 127n) | 128);
  out.push(Number(value));
}

function u32(value) {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}

/** Words of 32 bits, each as its distance from the one before where all words above it are the same, otherwise whole. */
function column(borders, words) {
  const out = [];
  let before = new Array(words).fill(0n);
  for (const { at } of borders) {
    const now = Array.from({ length: words }, (_, i) => (at >> BigInt(32 * (words - 1 - i))) & 0xffffffffn);
    let isSame = true;
    for (const [i, word] of now.entries()) {
      number(out, isSame ? word - before[i] : word);
      isSame &&= word === before[i];
    }
    before = now;
  }
  return Buffer.from(out);
}

function table(borders, words, codes) {
  const countries = Buffer.from(borders.map(({ country }) => codes.indexOf(country) + 1));
  const positions = column(borders, words);
  return Buffer.concat([u32(borders.length), countries, u32(positions.length), positions]);
}

function noticeOf(file) {
  const head = readFileSync(file, "latin1").slice(0, 2000);
  const find = (name) => new RegExp(`^# ${name}: +(.+)$`, "m").exec(head)?.[1];
  const [generated, vendor, license] = ["Generated", "Vendor", "License"].map(find);
  if (!generated || !vendor || !license) throw new Error(`${file} does not say where it is from`);
  const date = new Date(generated).toISOString().slice(0, 10);
  return `Location Database of ${date} by the ${vendor} (https://location.ipfire.org/), ${license}`;
}

function main([directory = "/usr/share/tor"]) {
  const [geoip, geoip6] = ["geoip", "geoip6"].map((name) => join(directory, name));
  const tables = [bordersOf(rangesOf4(geoip)), bordersOf(rangesOf6(geoip6))];
  const codes = [...new Set(tables.flat().map(({ country }) => country))]
    .filter((code) => code !== "")
    .sort();
  const notice = Buffer.from(noticeOf(geoip));
  const body = Buffer.concat([
    Buffer.from([notice.length]),
    notice,
    Buffer.from([codes.length]),
    Buffer.from(codes.join("")),
    table(tables[0], 1, codes),
    table(tables[1], 2, codes),
  ]);
  const bytes = Buffer.concat([Buffer.from("ALLIUMGEO1"), u32(body.length), deflateSync(body, { level: 9 })]);
  writeFileSync(OUTPUT, bytes);
  console.log(`${notice}\n${codes.length} countries, ${tables.map(({ length }) => length)} borders`);
  console.log(`${bytes.length} bytes, ${body.length} unpacked`);
}

main(process.argv.slice(2));
