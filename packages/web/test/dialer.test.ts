// The dialer against real WebSockets: what it sends, what it makes of each close code, how much it takes (bridge-spec).

import { type Duplex, TorError } from "@allium/core";
import { afterEach, describe, expect, it, vi } from "vitest";
import { webDialer } from "../src/dialer.ts";
import { hello, readAll, rejection, relay, twoAddresses, write } from "./dialer-rig.ts";
import { closedPort, scriptedBridge } from "./scripted-bridge.ts";

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
