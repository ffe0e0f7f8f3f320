// The cases of the Autobahn testsuite's fuzzing server, sections 1 to 7, 9 (sizes a sixteenth) and 10, by their numbers and written
// anew from its published list: what the server sends, and what an echoing client must do. Sections 12 and 13 are about
// compression, which is not offered.

import { closeFrame, frame } from "./rig.ts";

export interface Case {
  readonly id: string;
  /** Sent in order; a number cuts all of it into chunks of so many bytes, "frames" sends each frame by itself. */
  readonly send: readonly Buffer[];
  readonly chop?: number | "frames";
  /** Payloads of messages and pongs that come back, each after its opcode. */
  readonly back: readonly (readonly [opcode: number, payload: Buffer])[];
  /** The code of the Close frame that comes back; the server's own where it closes in order. */
  readonly code: number;
}

const [TEXT, BINARY, CONTINUATION, PING, PONG, FIN] = [1, 2, 0, 9, 10, 0x80];
const bytes = (hex: string) => Buffer.from(hex.replaceAll(" ", ""), "hex");
const text = (payload: Buffer | string) => frame(FIN | TEXT, payload);
const ping = (payload: Buffer | string = "") => frame(FIN | PING, payload);
const echo = (payload: Buffer | string, opcode = TEXT) => [opcode, Buffer.from(payload as string)] as const;
const pong = (payload: Buffer | string = "") => echo(payload, PONG);
const HELLO = "Hello, world!";

/** A case that ends in order: the server closes with 1000. */
function good(id: string, send: readonly Buffer[], back: Case["back"], chop?: Case["chop"]): Case {
  return { id, send: [...send, closeFrame(1000)], back, code: 1000, ...(chop !== undefined && { chop }) };
}

function bad(
  id: string,
  send: readonly Buffer[],
  code: number,
  back: Case["back"] = [],
  chop?: Case["chop"],
): Case {
  return { id, send, back, code, ...(chop !== undefined && { chop }) };
}

/** A message of these fragments. */
function fragments(parts: readonly (Buffer | string)[], opcode = TEXT): Buffer[] {
  return parts.map((part, i) =>
    frame((i === parts.length - 1 ? FIN : 0) | (i === 0 ? opcode : CONTINUATION), part),
  );
}

function octets(payload: Buffer, size = 1): Buffer[] {
  const parts: Buffer[] = [];
  for (let at = 0; at < payload.length; at += size) parts.push(payload.subarray(at, at + size));
  return parts;
}

function framing(): Case[] {
  const sizes = [0, 125, 126, 127, 128, 65_535, 65_536];
  return [TEXT, BINARY].flatMap((opcode) => {
    const fill = (size: number) => Buffer.alloc(size, opcode === TEXT ? 0x2a : 0xfe);
    const one = (id: number, size: number, chop?: number) =>
      good(`1.${opcode}.${id}`, [frame(FIN | opcode, fill(size))], [echo(fill(size), opcode)], chop);
    return [...sizes.map((size, i) => one(i + 1, size)), one(8, 65_536, 997)];
  });
}

function pings(): Case[] {
  const odd = bytes("00fffefdfcfb00ff");
  const large = Buffer.alloc(125, 0xfe);
  const ten = Array.from({ length: 10 }, (_, i) => `payload-${i}`);
  return [
    good("2.1", [ping()], [pong()]),
    good("2.2", [ping(HELLO)], [pong(HELLO)]),
    good("2.3", [ping(odd)], [pong(odd)]),
    good("2.4", [ping(large)], [pong(large)]),
    bad("2.5", [ping(Buffer.alloc(126, 0xfe))], 1002),
    good("2.6", [ping(large)], [pong(large)], 1),
    good("2.7", [frame(FIN | PONG)], []),
    good("2.8", [frame(FIN | PONG, "unsolicited")], []),
    good("2.9", [frame(FIN | PONG, "unsolicited"), ping("ping")], [pong("ping")]),
    good("2.10", ten.map(ping), ten.map(pong)),
    good("2.11", ten.map(ping), ten.map(pong), 1),
  ];
}

function reserved(): Case[] {
  const flawed = (rsv: number, opcode: number) => frame(FIN | (rsv << 4) | opcode, opcode === 8 ? "" : HELLO);
  const before = [text(HELLO)];
  const back = [echo(HELLO)];
  return [
    bad("3.1", [flawed(1, TEXT)], 1002),
    bad("3.2", [...before, flawed(2, TEXT), ping()], 1002, back),
    bad("3.3", [...before, flawed(3, TEXT), ping()], 1002, back, "frames"),
    bad("3.4", [...before, flawed(4, TEXT), ping()], 1002, back, 1),
    bad("3.5", [flawed(5, BINARY)], 1002),
    bad("3.6", [flawed(6, PING)], 1002),
    bad("3.7", [flawed(7, 8)], 1002),
  ];
}

function opcodes(): Case[] {
  const back = [echo(HELLO)];
  return [3, 11].flatMap((first, half) => {
    const id = (n: number) => `4.${half + 1}.${n}`;
    const odd = (n: number, payload = "") => frame(FIN | (first + n), payload);
    return [
      bad(id(1), [odd(0)], 1002),
      bad(id(2), [odd(1, "reserved opcode")], 1002),
      bad(id(3), [text(HELLO), odd(2), ping()], 1002, back),
      bad(id(4), [text(HELLO), odd(3, HELLO), ping()], 1002, back),
      bad(id(5), [text(HELLO), odd(4, HELLO), ping()], 1002, back, 1),
    ];
  });
}

function fragmentation(): Case[] {
  const chops = [undefined, "frames", 1] as const;
  const two = fragments(["fragment1", "fragment2"]);
  const [first, second] = two as [Buffer, Buffer];
  const whole = echo("fragment1fragment2");
  const loose = (bits: number) => frame(bits | CONTINUATION, "non-continuation payload");
  const five = fragments(["fragment1", "fragment2", "fragment3", "fragment4", "fragment5"]);
  const mixed = [
    ...five.slice(0, 2),
    ping("pongme 1!"),
    ...five.slice(2, 4),
    ping("pongme 2!"),
    ...five.slice(4),
  ];
  const mixedBack = [
    pong("pongme 1!"),
    pong("pongme 2!"),
    echo("fragment1fragment2fragment3fragment4fragment5"),
  ];
  const again = (bits: number) => [loose(bits), first, second, loose(bits), first, second];
  return [
    bad("5.1", [frame(PING, "fragment1"), second], 1002),
    bad("5.2", [frame(PONG, "fragment1"), second], 1002),
    ...chops.map((chop, i) => good(`5.${3 + i}`, two, [whole], chop)),
    ...chops.map((chop, i) => good(`5.${6 + i}`, [first, ping("ping"), second], [pong("ping"), whole], chop)),
    ...chops.map((chop, i) => bad(`5.${9 + i}`, [loose(FIN), text(HELLO)], 1002, [], chop)),
    ...chops.map((chop, i) => bad(`5.${12 + i}`, [loose(0), text(HELLO)], 1002, [], chop)),
    bad("5.15", [...two, loose(0), text(HELLO)], 1002, [whole]),
    bad("5.16", again(0), 1002),
    bad("5.17", again(FIN), 1002),
    bad("5.18", [frame(TEXT, "fragment1"), frame(FIN | TEXT, "fragment2")], 1002),
    good("5.19", mixed, mixedBack),
    good("5.20", mixed, mixedBack, "frames"),
  ];
}

const KOSME = "cebae1bdb9cf83cebcceb5";
/** Each start byte of a range before a space. */
const lonely = (from: number, to: number) =>
  Array.from({ length: to - from + 1 }, (_, i) => `${(from + i).toString(16)}20`).join("");
const point = (...points: readonly number[]) =>
  points.map((code) => Buffer.from(String.fromCodePoint(code)).toString("hex"));
const SHORT = [
  "c0",
  "e080",
  "f08080",
  "f8808080",
  "fc80808080",
  "df",
  "efbf",
  "f7bfbf",
  "fbbfbfbf",
  "fdbfbfbfbf",
];
/** By subsection, 6.5 to 6.23, in hexadecimal; a "-" before what is not UTF-8. */
const SEQUENCES: Readonly<Record<number, readonly string[]>> = {
  5: ["24", "c2a2", "e282ac", "f0a4ada2"].map((hex) => `68656c6c6f${hex}776f726c64`).concat(KOSME),
  6: Array.from(
    { length: 11 },
    (_, i) => `${[1, 4, 6, 8, 10].includes(i) ? "" : "-"}${KOSME.slice(0, 2 * i + 2)}`,
  ),
  7: ["00", "c280", "e0a080", "f0908080"],
  8: ["-f888808080", "-fc8480808080"],
  9: ["7f", "dfbf", "efbfbf", "f48fbfbf"],
  10: ["-f7bfbfbf", "-fbbfbfbfbf", "-fdbfbfbfbfbf"],
  11: ["ed9fbf", "ee8080", "efbfbd", "f48fbfbf", "-f4908080"],
  12: [1, 2, 3, 4, 5, 6]
    .map((count) => `-${"80bf".repeat(3).slice(0, 2 * count)}`)
    .toSpliced(1, 0, "-bf")
    .concat(`-${Array.from({ length: 64 }, (_, i) => (0x80 + i).toString(16)).join("")}`),
  13: [
    [0xc0, 0xdf],
    [0xe0, 0xef],
    [0xf0, 0xf7],
    [0xf8, 0xfb],
    [0xfc, 0xfd],
  ].map(([from, to]) => `-${lonely(from as number, to as number)}`),
  14: SHORT.map((hex) => `-${hex}`),
  15: [`-${SHORT.join("")}`],
  16: ["-fe", "-ff", "-fefeffff"],
  17: ["-c0af", "-e080af", "-f08080af", "-f8808080af", "-fc80808080af"],
  18: ["-c1bf", "-e09fbf", "-f08fbfbf", "-f887bfbfbf", "-fc83bfbfbfbf"],
  19: ["-c080", "-e08080", "-f0808080", "-f880808080", "-fc8080808080"],
  20: ["-eda080", "-edadbf", "-edae80", "-edafbf", "-edb080", "-edbe80", "-edbfbf"],
  21: ["eda080", "edadbf", "edae80", "edafbf"].flatMap((high) => [`-${high}edb080`, `-${high}edbfbf`]),
  22: point(
    ...Array.from({ length: 17 }, (_, plane) => [
      plane * 0x1_0000 + 0xfffe,
      plane * 0x1_0000 + 0xffff,
    ]).flat(),
  ),
  23: point(0xfff9, 0xfffa, 0xfffb, 0xfffc, 0xfffd, 0xfffe, 0xffff),
};

function utf8(): Case[] {
  const mixed = Buffer.from("Hello-µ@ßöäüàá-UTF-8!!");
  const invalid = bytes(`${KOSME} eda080 656469746564`);
  const sequences = Object.entries(SEQUENCES).flatMap(([section, list]) =>
    list.map((hex, i) => {
      const payload = bytes(hex.replace("-", ""));
      const id = `6.${section}.${i + 1}`;
      return hex.startsWith("-")
        ? bad(id, [text(payload)], 1007)
        : good(id, [text(payload)], [echo(payload)]);
    }),
  );
  return [
    good("6.1.1", [text("")], [echo("")]),
    good("6.1.2", fragments(["", "", ""]), [echo("")]),
    good("6.1.3", fragments(["", "middle frame payload", ""]), [echo("middle frame payload")]),
    good("6.2.1", [text(mixed)], [echo(mixed)]),
    good("6.2.2", fragments([mixed.subarray(0, 10), mixed.subarray(10)]), [echo(mixed)]),
    good("6.2.3", fragments(octets(mixed)), [echo(mixed)]),
    good("6.2.4", fragments(octets(bytes(KOSME))), [echo(bytes(KOSME))]),
    bad("6.3.1", [text(invalid)], 1007),
    bad("6.3.2", fragments(octets(invalid)), 1007),
    ...sequences,
  ];
}

function closing(): Case[] {
  const close = closeFrame(1000);
  const two = fragments(["fragment1", "fragment2"]);
  const large = Buffer.alloc(262_144, "BAsd7&jh23");
  const long = Buffer.alloc(124, "*");
  const valid = [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 3000, 3999, 4000, 4999];
  const invalid = [0, 999, 1004, 1005, 1006, 1016, 1100, 2000, 2999];
  const answered = (id: string, send: readonly Buffer[], code: number, back: Case["back"] = []) =>
    ({ id, send, back, code }) satisfies Case;
  return [
    answered("7.1.1", [text(HELLO), close], 1000, [echo(HELLO)]),
    answered("7.1.2", [close, close], 1000),
    answered("7.1.3", [close, ping()], 1000),
    answered("7.1.4", [close, text(HELLO)], 1000),
    answered("7.1.5", [two[0] as Buffer, close, two[1] as Buffer], 1000),
    answered("7.1.6", [text(large), close, ping()], 1000, [echo(large)]),
    answered("7.3.1", [closeFrame()], 1005),
    answered("7.3.2", [frame(0x88, "a")], 1002),
    answered("7.3.3", [close], 1000),
    answered("7.3.4", [closeFrame(1000, "Hello World!")], 1000),
    answered("7.3.5", [closeFrame(1000, long.subarray(0, 123))], 1000),
    answered("7.3.6", [closeFrame(1000, long)], 1002),
    answered("7.5.1", [closeFrame(1000, bytes(`${KOSME} eda080 656469746564`))], 1007),
    ...valid.map((code, i) => answered(`7.7.${i + 1}`, [closeFrame(code)], code)),
    ...invalid.map((code, i) => answered(`7.9.${i + 1}`, [closeFrame(code)], 1002)),
    answered("7.13.1", [closeFrame(5000)], 1002),
    answered("7.13.2", [frame(0x88, bytes("00010000"))], 1002),
  ];
}

function limits(): Case[] {
  const kib = (count: number, fill: number) => Buffer.alloc(count * 1024, fill);
  return [TEXT, BINARY].flatMap((opcode, kind) => {
    const fill = opcode === TEXT ? 0x2a : 0xfe;
    const id = (section: number, n: number) => `9.${section + kind}.${n}`;
    const whole = kib(256, fill);
    const part = kib(64, fill);
    const many = [0, 16, 64, 256, 1024, 4096].map((size) => Array<Buffer>(63).fill(Buffer.alloc(size, fill)));
    return [
      ...[4, 16, 64, 256, 512, 1024].map((size, i) =>
        good(id(1, i + 1), [frame(FIN | opcode, kib(size, fill))], [echo(kib(size, fill), opcode)]),
      ),
      ...[64, 256, 1024, 4096, 16_384, 65_536, 131_072, 196_608, 262_144].map((size, i) =>
        good(id(3, i + 1), fragments(octets(whole, size), opcode), [echo(whole, opcode)]),
      ),
      ...[64, 128, 256, 512, 1024, 2048].map((size, i) =>
        good(id(5, i + 1), [frame(FIN | opcode, part)], [echo(part, opcode)], size),
      ),
      ...many.map((list, i) =>
        good(
          id(7, i + 1),
          list.map((one) => frame(FIN | opcode, one)),
          list.map((one) => echo(one, opcode)),
        ),
      ),
    ];
  });
}

const large = Buffer.alloc(65_536, "*");

export const CASES: readonly Case[] = [
  ...framing(),
  ...pings(),
  ...reserved(),
  ...opcodes(),
  ...fragmentation(),
  ...utf8(),
  ...closing(),
  ...limits(),
  good("10.1.1", fragments(octets(large, 1300)), [echo(large)]),
];

/** 6.4.1 to 6.4.4: what comes up to the byte that shows the fault; the rest is never sent. */
export const FAIL_FAST: readonly { readonly id: string; readonly parts: readonly Buffer[] }[] = [
  { id: "6.4.1", parts: [frame(TEXT, bytes(KOSME)), frame(CONTINUATION, bytes("f4908080"))] },
  { id: "6.4.2", parts: [frame(TEXT, bytes(`${KOSME} f4`)), frame(CONTINUATION, bytes("90"))] },
  { id: "6.4.3", parts: [text(bytes(`${KOSME} f4908080 656469746564`)).subarray(0, 17)] },
  { id: "6.4.4", parts: octets(text(bytes(`${KOSME} f4908080 656469746564`)).subarray(0, 15), 14) },
];
