// The dialer against real WebSockets: what it sends, what it makes of each close code, where it goes next, how much it takes.

import { type Duplex, isTorError, parseSocketAddress, TorError } from "@allium/core";
import { afterEach, describe, expect, it, vi } from "vitest";
import { webDialer } from "../src/dialer.ts";
import { closedPort, scriptedBridge } from "./scripted-bridge.ts";

const relay = [parseSocketAddress("192.0.2.1:9001")];
const twoAddresses = [...relay, parseSocketAddress("[2001:db8::1]:443")];
const hello = new TextEncoder().encode("client hello");

async function write(pipe: Duplex, bytes: Uint8Array): Promise<void> {
  const writer = pipe.writable.getWriter();
  await writer.write(bytes);
  writer.releaseLock();
}

async function readAll(pipe: Duplex): Promise<string> {
  let text = "";
  for await (const chunk of pipe.readable) text += new TextDecoder("latin1").decode(chunk);
  return text;
}

async function rejection(promise: Promise<unknown>): Promise<TorError> {
  try {
    await promise;
  } catch (error) {
    if (isTorError(error)) return error;
    throw error;
  }
  throw new Error("nothing was thrown");
}

describe("a dial", () => {
  it("sends the destination alone, then the bytes", async () => {
    const bridge = await scriptedBridge();
    const pipe = await webDialer({ bridges: [bridge.url] }).dial(relay);
    await write(pipe, hello);
    const visit = bridge.visits[0];
    expect([...((await visit?.message(0)) ?? [])]).toEqual([4, 192, 0, 2, 1, 0x23, 0x29]);
    expect((await visit?.message(1))?.toString()).toBe("client hello");
    expect([visit?.path, visit?.protocols]).toEqual(["/v1/connect", "tor-bridge.v1"]);
    pipe.close();
  });

  it("names an IPv6 address, and shows its token beside the subprotocol", async () => {
    const bridge = await scriptedBridge();
    const pipe = await webDialer({ bridges: [bridge.url], token: "dG9r_-" }).dial(twoAddresses.slice(1));
    const visit = bridge.visits[0];
    const destination = [6, 0x20, 1, 0x0d, 0xb8, ...new Array(11).fill(0), 1, 1, 0xbb];
    expect([...((await visit?.message(0)) ?? [])]).toEqual(destination);
    expect(visit?.protocols.replace(" ", "")).toBe("tor-bridge.v1,t.dG9r_-");
    pipe.close();
  });

  const paths: [suffix: string, path: string][] = [
    ["", "/v1/connect"],
    ["prefix", "/prefix/v1/connect"],
    ["prefix/", "/prefix/v1/connect"],
    ["v1/connect", "/v1/connect"],
    ["a/v1/connect/", "/a/v1/connect"],
    ["?query#hash", "/v1/connect"],
  ];
  for (const [suffix, path] of paths) {
    it(`to a bridge at "/${suffix}" asks for ${path}`, async () => {
      const bridge = await scriptedBridge();
      const url = bridge.url.replace("ws:", suffix === "prefix" ? "http:" : "ws:");
      const pipe = await webDialer({ bridges: [url + suffix] }).dial(relay);
      expect(bridge.visits[0]?.path).toBe(path);
      pipe.close();
    });
  }

  it("cuts what it sends into messages of 64 KiB, and loses nothing", async () => {
    const bridge = await scriptedBridge();
    const pipe = await webDialer({ bridges: [bridge.url] }).dial(relay);
    const bytes = new Uint8Array(1_000_000).map((_, i) => (i * 11) % 251);
    await write(pipe, bytes);
    const visit = bridge.visits[0];
    await visit?.message(16);
    const messages = visit?.messages.slice(1) ?? [];
    expect(Math.max(...messages.map((message) => message.length))).toBe(65_536);
    expect(Buffer.concat(messages).equals(bytes)).toBe(true);
    pipe.close();
  });

  it("joins the messages that are at hand into one chunk", async () => {
    const bridge = await scriptedBridge(({ socket }) => {
      for (let i = 0; i < 50; i++) socket.send(Buffer.from([i]));
      socket.send(Buffer.alloc(0));
    });
    const pipe = await webDialer({ bridges: [bridge.url] }).dial(relay);
    await new Promise((resolve) => setTimeout(resolve, 40));
    const { value } = await pipe.readable.getReader().read();
    expect([...(value ?? [])]).toEqual(Array.from({ length: 50 }, (_, i) => i));
    pipe.close();
  });

  it("ends cleanly when the relay does, after all its bytes", async () => {
    const bridge = await scriptedBridge(({ socket }) => {
      socket.send(Buffer.from("last words"));
      socket.close(1000);
    });
    const pipe = await webDialer({ bridges: [bridge.url] }).dial(relay);
    await pipe.closed;
    expect(await readAll(pipe)).toBe("last words");
    expect((await rejection(write(pipe, hello))).code).toBe("ALLIUM_E_BRIDGE_ENDED");
  });

  it("closed from here closes the WebSocket, and only once", async () => {
    const bridge = await scriptedBridge();
    const pipe = await webDialer({ bridges: [bridge.url] }).dial(relay);
    const reader = pipe.readable.getReader();
    const pending = reader.read();
    pipe.close();
    pipe.close(new TorError("internal", "ALLIUM_E_TEST", "too late"));
    await pipe.closed;
    expect((await pending).done).toBe(true);
    expect(await bridge.visits[0]?.closed).toBe(1000);
  });

  it("closed from here with an error shows it on all sides", async () => {
    const bridge = await scriptedBridge();
    const pipe = await webDialer({ bridges: [bridge.url] }).dial(relay);
    const reason = new TorError("protocol-violation", "ALLIUM_E_TEST", "evil");
    const pending = rejection(pipe.readable.getReader().read());
    pipe.close(reason);
    expect(await pending).toBe(reason);
    expect(await rejection(pipe.closed)).toBe(reason);
    expect(await rejection(write(pipe, hello))).toBe(reason);
  });

  it("whose readable is cancelled or writable aborted is over", async () => {
    const bridge = await scriptedBridge();
    const dialer = webDialer({ bridges: [bridge.url] });
    for (const end of [(p: Duplex) => p.readable.cancel(), (p: Duplex) => p.writable.abort()]) {
      const pipe = await dialer.dial(relay);
      await end(pipe);
      await pipe.closed;
      expect(await bridge.visits.at(-1)?.closed).toBe(1000);
    }
  });
});

describe("a close code", () => {
  const codes: [close: number, kind: string, code: string, retryAfter?: number][] = [
    [1001, "bridge-unreachable", "LOST"],
    [1003, "bridge-refused", "CLOSED"],
    [1009, "bridge-refused", "MESSAGE_SIZE"],
    [1011, "bridge-refused", "CLOSED"],
    [4400, "bridge-refused", "DESTINATION"],
    [4401, "bridge-refused", "TOKEN"],
    [4403, "bridge-refused", "DENIED"],
    [4408, "bridge-unreachable", "TIMEOUT"],
    [4429, "bridge-refused", "LIMIT", 60_000],
    [4502, "bridge-unreachable", "RELAY"],
    [4503, "bridge-refused", "DRAINING", 5_000],
    [4999, "bridge-refused", "CLOSED"],
  ];
  for (const [close, kind, code, retryAfter] of codes) {
    it(`${close} is ${kind}, at once and later, on all sides`, async () => {
      for (const early of [true, false]) {
        const bridge = await scriptedBridge(async ({ socket, message }) => {
          if (!early) socket.send(Buffer.from("bytes"));
          if (!early) await message(1);
          socket.close(close, "because");
        });
        const pipe = await webDialer({ bridges: [bridge.url] }).dial(relay);
        const reader = pipe.readable.getReader();
        if (!early) {
          expect((await reader.read()).value?.length).toBe(5);
          await write(pipe, hello);
        }
        const error = await rejection(reader.read());
        expect(error).toMatchObject({ kind, code: `ALLIUM_E_BRIDGE_${code}` });
        expect(error.retryAfter).toBe(retryAfter);
        expect(await rejection(pipe.closed)).toBe(error);
        expect(await rejection(write(pipe, hello))).toBe(error);
      }
    });
  }

  it("of none at all, and a cut connection, are a lost bridge", async () => {
    for (const end of ["terminate", "close"] as const) {
      const bridge = await scriptedBridge(({ socket }) => socket[end]());
      const pipe = await webDialer({ bridges: [bridge.url] }).dial(relay);
      expect(await rejection(pipe.closed)).toMatchObject({ code: "ALLIUM_E_BRIDGE_LOST" });
    }
  });

  it("may say how long to wait, up to an hour", async () => {
    const reasons: [reason: string, retryAfter: number][] = [
      ["too many connections, retry after 7", 7000],
      ["retry after 999999", 3_600_000],
      ["retry after -1", 60_000],
    ];
    for (const [reason, retryAfter] of reasons) {
      const bridge = await scriptedBridge(({ socket }) => socket.close(4429, reason));
      const pipe = await webDialer({ bridges: [bridge.url] }).dial(relay);
      expect((await rejection(pipe.closed)).retryAfter).toBe(retryAfter);
    }
  });

  it("comes after the bytes that came before it", async () => {
    const bridge = await scriptedBridge(({ socket }) => {
      socket.send(Buffer.from("before"));
      socket.close(4502);
    });
    const pipe = await webDialer({ bridges: [bridge.url] }).dial(relay);
    await rejection(pipe.closed);
    const reader = pipe.readable.getReader();
    expect((await reader.read()).value?.length).toBe(6);
    expect((await rejection(reader.read())).code).toBe("ALLIUM_E_BRIDGE_RELAY");
  });
});

describe("the other way", () => {
  const echo = async ({
    socket,
    message,
  }: {
    socket: { send(data: Buffer): void };
    message(n: number): Promise<Buffer>;
  }) => socket.send(await message(1));

  for (const code of [4400, 4408, 4502]) {
    it(`after ${code} is the relay's next address, with what was sent so far`, async () => {
      const bridge = await scriptedBridge((visit, number) =>
        number === 1 ? visit.message(1).then(() => visit.socket.close(code)) : echo(visit),
      );
      const pipe = await webDialer({ bridges: [bridge.url] }).dial(twoAddresses);
      await write(pipe, hello);
      const { value } = await pipe.readable.getReader().read();
      expect(new TextDecoder().decode(value)).toBe("client hello");
      expect(bridge.visits.map(({ messages }) => messages[0]?.[0])).toEqual([4, 6]);
      pipe.close();
    });
  }

  for (const code of [4401, 4403, 4429, 4503, 1011]) {
    it(`after ${code} is the next bridge, and the same relay`, async () => {
      const first = await scriptedBridge(({ socket }) => socket.close(code));
      const second = await scriptedBridge(echo);
      const dialer = webDialer({ bridges: [first.url, second.url] });
      const pipe = await dialer.dial(relay);
      await write(pipe, hello);
      const { value } = await pipe.readable.getReader().read();
      expect(new TextDecoder().decode(value)).toBe("client hello");
      expect(second.visits[0]?.messages[0]).toEqual(first.visits[0]?.messages[0]);
      pipe.close();
    });
  }

  it("is not taken once the relay has answered", async () => {
    const first = await scriptedBridge(({ socket }) => {
      socket.send(Buffer.from("x"));
      socket.close(4502);
    });
    const second = await scriptedBridge();
    const pipe = await webDialer({ bridges: [first.url, second.url] }).dial(twoAddresses);
    expect((await rejection(pipe.closed)).code).toBe("ALLIUM_E_BRIDGE_RELAY");
    expect([first.visits.length, second.visits.length]).toEqual([1, 0]);
  });

  it("is not taken once more was sent than is kept", async () => {
    const bridge = await scriptedBridge(({ socket, message }) => message(2).then(() => socket.close(4502)));
    const pipe = await webDialer({ bridges: [bridge.url] }).dial(twoAddresses);
    await write(pipe, new Uint8Array(65_537));
    expect((await rejection(pipe.closed)).code).toBe("ALLIUM_E_BRIDGE_RELAY");
    expect(bridge.visits.length).toBe(1);
  });

  it("ends with the last address and the last bridge", async () => {
    const first = await scriptedBridge(({ socket }) => socket.close(4502));
    const second = await scriptedBridge(({ socket }) => socket.close(4503));
    const all = webDialer({ bridges: [first.url, second.url] });
    expect((await rejection((await all.dial(twoAddresses)).closed)).code).toBe("ALLIUM_E_BRIDGE_RELAY");
    expect([first.visits.length, second.visits.length]).toEqual([2, 0]);
    const refusing = webDialer({ bridges: [second.url, await closedPort()] });
    expect((await rejection((await refusing.dial(relay)).closed)).code).toBe("ALLIUM_E_BRIDGE_UNREACHABLE");
  });

  it("is kept for later dials, and left when it fails in turn", async () => {
    const works = await scriptedBridge();
    const dialer = webDialer({ bridges: [await closedPort(), works.url] });
    for (let dial = 1; dial <= 3; dial++) {
      (await dialer.dial(relay)).close();
      expect(works.visits.length).toBe(dial);
    }
    const refuses = await scriptedBridge(({ socket }) => socket.close(4503));
    const two = webDialer({ bridges: [refuses.url, works.url] });
    for (let dial = 1; dial <= 2; dial++) {
      const pipe = await two.dial(relay);
      await expect.poll(() => works.visits.length).toBe(3 + dial);
      pipe.close();
    }
    expect(refuses.visits.length).toBe(1);
  });

  it("is not taken by a pipe that was closed meanwhile", async () => {
    const refuses = await scriptedBridge(({ socket }) => socket.close(4503));
    const other = await scriptedBridge();
    const pipe = await webDialer({ bridges: [refuses.url, other.url] }).dial(relay);
    await refuses.visits[0]?.closed;
    pipe.close();
    await pipe.closed;
    await expect.poll(() => other.visits.every(({ socket }) => socket.readyState === 3)).toBe(true);
  });
});

describe("a bridge", () => {
  it("that is not there is unreachable", async () => {
    const error = await rejection(webDialer({ bridges: [await closedPort()] }).dial(relay));
    expect(error).toMatchObject({ kind: "bridge-unreachable", code: "ALLIUM_E_BRIDGE_UNREACHABLE" });
  });

  it("of another protocol is none", async () => {
    for (const protocol of [false, "t.token"] as const) {
      const bridge = await scriptedBridge(() => {}, { protocol });
      const error = await rejection(webDialer({ bridges: [bridge.url], token: "token" }).dial(relay));
      expect(error).toMatchObject({ kind: "bridge-unreachable" });
      expect(bridge.visits[0]?.messages ?? []).toEqual([]);
    }
  });

  it("that sends text breaks the protocol", async () => {
    const bridge = await scriptedBridge(({ socket }) => socket.send("text"));
    const pipe = await webDialer({ bridges: [bridge.url] }).dial(relay);
    expect(await rejection(pipe.closed)).toMatchObject({ kind: "protocol-violation" });
  });

  it("that floods its client is cut off", async () => {
    const bridge = await scriptedBridge(({ socket }) => {
      const chunk = Buffer.alloc(1_048_576);
      for (let i = 0; i < 40; i++) socket.send(chunk, () => {});
    });
    const pipe = await webDialer({ bridges: [bridge.url] }).dial(relay);
    expect(await rejection(pipe.closed)).toMatchObject({ kind: "limit", code: "ALLIUM_E_BRIDGE_FLOOD" });
  });

  it("that takes nothing holds its client's writer back", async () => {
    const bridge = await scriptedBridge(({ socket }) => socket.pause());
    const pipe = await webDialer({ bridges: [bridge.url] }).dial(relay);
    const writer = pipe.writable.getWriter();
    let written = 0;
    const more = async () => {
      for (; written < 4000; written++) await writer.write(new Uint8Array(65_536));
    };
    more().catch(() => {});
    let before = -1;
    const stands = () => {
      const same = before === written;
      before = written;
      return same;
    };
    await expect.poll(stands, { interval: 50, timeout: 5000 }).toBe(true);
    expect(written).toBeLessThan(1000);
    const stood = written;
    bridge.visits[0]?.socket.resume();
    await expect.poll(() => written > stood + 10).toBe(true);
    pipe.close();
  });
});

describe("an abort", () => {
  it("before or during the dial rejects with its error and leaves no WebSocket behind", async () => {
    const bridge = await scriptedBridge();
    const dialer = webDialer({ bridges: [bridge.url] });
    const before = await rejection(dialer.dial(relay, { signal: AbortSignal.abort() }));
    expect(before.kind).toBe("aborted");
    expect(bridge.visits.length).toBe(0);
    const controller = new AbortController();
    const pending = rejection(dialer.dial(relay, { signal: controller.signal }));
    controller.abort();
    expect((await pending).kind).toBe("aborted");
    await expect.poll(() => bridge.visits.every(({ socket }) => socket.readyState === 3)).toBe(true);
    expect(bridge.visits.flatMap(({ messages }) => messages)).toEqual([]);
  });
});

describe("without a network", () => {
  afterEach(() => vi.unstubAllGlobals());

  it("a dial says so", async () => {
    vi.stubGlobal("navigator", { onLine: false });
    const error = await rejection(webDialer({ bridges: [await closedPort()] }).dial(relay));
    expect(error).toMatchObject({ kind: "offline", code: "ALLIUM_E_OFFLINE" });
  });
});

describe("malformed options", () => {
  for (const bridges of [
    [],
    ["bridge.example"],
    ["ftp://bridge.example/"],
    ["wss://user@bridge.example/"],
    ["wss://"],
  ]) {
    it(`${JSON.stringify(bridges)} are refused`, () => {
      expect(() => webDialer({ bridges })).toThrow(
        expect.objectContaining({ kind: "bad-api-usage", code: "ALLIUM_E_BRIDGE_URL" }),
      );
    });
  }

  it("tokens that are not base64url are refused", () => {
    for (const token of ["", "a b", "a,b", "a=", "a\r\n"]) {
      expect(() => webDialer({ bridges: ["wss://bridge.example/"], token })).toThrow(
        expect.objectContaining({ code: "ALLIUM_E_BRIDGE_TOKEN_FORMAT" }),
      );
    }
  });

  it("a relay without addresses is refused", async () => {
    const bridge = await scriptedBridge();
    expect((await rejection(webDialer({ bridges: [bridge.url] }).dial([]))).kind).toBe("bad-api-usage");
  });
});

describe("which bridge carries a connection", () => {
  it("is told by its name, and the next one is asked for the relay's first address again", async () => {
    const one = await scriptedBridge(({ socket }, number) => socket.close(number === 1 ? 4502 : 4503));
    const two = await scriptedBridge();
    const through: string[] = [];
    const pipe = await webDialer({ bridges: [one.url, two.url] }).dial(twoAddresses, {
      onBridge: (name) => void through.push(name),
    });
    pipe.closed.catch(() => {});
    await vi.waitFor(() => expect(two.visits).toHaveLength(1));
    expect(through).toEqual([one.url, one.url, two.url]);
    expect((await two.visits[0]?.message(0))?.[0]).toBe(4);
    pipe.close();
  });

  it("is another one where that one is to be avoided, and the same where all are", async () => {
    const [one, two] = [await scriptedBridge(), await scriptedBridge()];
    const dialer = webDialer({ bridges: [one.url, two.url] });
    const through: string[] = [];
    const onBridge = (name: string) => void through.push(name);
    for (const avoid of [[], [one.url], [one.url, two.url]])
      (await dialer.dial(relay, { avoid: new Set(avoid), onBridge })).close();
    expect(through).toEqual([one.url, two.url, one.url]);
  });
});
