// Microdescriptors for the relays of a consensus (dir-spec 3.3), made up to the measure of 450 real ones of 2026-02-22: how long they
// are, how many are in families and of what sizes, how many lists of one family differ. Runs in Node only.

import { createHash } from "node:crypto";

/** Members of the families that relays are in; each stands for the same number of relays. */
const FAMILY_SIZES = [2, 2, 2, 4, 9, 15, 38, 84, 120, 294, 303, 356, 360, 374];
/** Part of the relays that are in a family. */
const IN_FAMILIES = 274 / 450;
/** In large families not all members list the same others. */
const LARGE_FAMILY = 200;
const LISTS_OF_LARGE_FAMILY = 8;

const POLICIES = [
  "accept 20-23,43,53,79-81,88,110,143,194,220,389,443,464-465,531,543-544,554,563,587,636,706,749,873,902-904,981,989-995,1194,1220,1293,1500,1533,1677,1723,1755,1863,2082-2083,2086-2087,2095-2096,2102-2104,3128,3389,3690,4321,4643,5050,5190,5222-5223,5228,5900,6660-6669,6679,6697,8000,8008,8074,8080,8082,8087-8088,8332-8333,8443,8888,9418",
  "reject 25,119,135-139,445,563,1214,4661-4666,6346-6429,6699,6881-6999",
  "accept 80,443",
];

/** Bytes that a text stands for, as any other hash of it would do. */
export function bytesFor(text: string): Buffer {
  return createHash("sha256").update(text).digest();
}

export function unpadded(bytes: Buffer): string {
  return bytes.toString("base64").replace(/=+$/, "");
}

/** A line for its 140 bytes: nobody reads the key in it. */
function onionKey(index: number): string {
  const bytes = Buffer.concat([0, 1, 2, 3, 4].map((part) => bytesFor(`onion ${index} ${part}`)));
  const lines =
    bytes
      .subarray(0, 140)
      .toString("base64")
      .match(/.{1,64}/g) ?? [];
  return `-----BEGIN RSA PUBLIC KEY-----\n${lines.join("\n")}\n-----END RSA PUBLIC KEY-----\n`;
}

/** How many relays each family has, one for those without. */
function* familySizes(relays: number): Generator<number> {
  const share = (relays * IN_FAMILIES) / FAMILY_SIZES.length;
  let left = 0;
  for (const size of FAMILY_SIZES) {
    for (left += share; left >= size / 2; left -= size) yield size;
  }
  for (;;) yield 1;
}

/** Each relay's family line, empty for none. @param rsaIds 20 bytes each */
function familyLines(rsaIds: readonly Buffer[]): string[] {
  const names = rsaIds.map((id) => `$${id.toString("hex").toUpperCase()}`);
  const lines: string[] = [];
  for (const size of familySizes(names.length)) {
    const members = names.slice(lines.length, lines.length + size);
    if (members.length === 0) return lines;
    const variants = size >= LARGE_FAMILY ? LISTS_OF_LARGE_FAMILY : 1;
    const lists = Array.from({ length: variants }, (_, lacking) => members.slice(lacking).join(" "));
    for (const i of members.keys()) lines.push(size === 1 ? "" : `family ${lists[i % variants]}\n`);
  }
  return lines;
}

export interface ListedRelay {
  /** 20 bytes. */
  readonly rsaId: Buffer;
  readonly isExit: boolean;
}

/** One for each relay, in their order. */
export function microdescriptors(relays: readonly ListedRelay[]): string[] {
  const families = familyLines(relays.map(({ rsaId }) => rsaId));
  return relays.map(({ isExit }, i) => {
    const policy = POLICIES[i % POLICIES.length];
    return [
      `onion-key\n${onionKey(i)}`,
      `ntor-onion-key ${unpadded(bytesFor(`ntor ${i}`))}\n`,
      families[i],
      isExit ? `p ${policy}\np6 ${policy}\n` : "",
      `id ed25519 ${unpadded(bytesFor(`ed25519 ${i}`))}\n`,
    ].join("");
  });
}

const VERSIONS = [
  "v Tor 0.4.9.5\npr Conflux=1 Cons=1-2 Desc=1-4 DirCache=2 FlowCtrl=1-2 HSDir=2 HSIntro=4-5 HSRend=1-2 Link=3-5 LinkAuth=3 Microdesc=1-3 Padding=2 Relay=2-6\n",
  "v Tor 0.4.8.21\npr Conflux=1 Cons=1-2 Desc=1-2 DirCache=2 FlowCtrl=1-2 HSDir=2 HSIntro=4-5 HSRend=1-2 Link=1-5 LinkAuth=1,3 Microdesc=1-2 Padding=2 Relay=1-4\n",
];
/** The flags of ten relays. */
const FLAGS = [
  ...Array<string>(4).fill("Fast Guard HSDir Running Stable V2Dir Valid"),
  ...Array<string>(2).fill("Exit Fast Guard HSDir Running Stable V2Dir Valid"),
  ...Array<string>(3).fill("Fast Running Stable V2Dir Valid"),
  "Exit Fast Running Stable Valid",
];

/** Router entries to the measure of the public network's, where that is not at hand; their microdescriptors' digests mean nothing. */
export function routerEntries(count: number): string {
  const ids = Array.from({ length: count }, (_, i) => bytesFor(`rsa ${i}`).subarray(0, 20));
  ids.sort(Buffer.compare);
  return ids
    .map((id, i) => {
      const [a, b, c] = id;
      const address = i % 2 === 0 ? `a [2001:db8:${id.toString("hex", 3, 5)}::1]:9001\n` : "";
      return [
        `r relay${i} ${unpadded(id)} 2038-01-01 00:00:00 10.${a}.${b}.${c} 9001 0\n${address}`,
        `m ${unpadded(bytesFor(`microdescriptor ${i}`))}\n`,
        `s ${FLAGS[i % FLAGS.length]}\n${VERSIONS[i % 2]}`,
        `w Bandwidth=${Math.round(100_000 / (1 + (i % 97)))}\n`,
      ].join("");
    })
    .join("");
}
