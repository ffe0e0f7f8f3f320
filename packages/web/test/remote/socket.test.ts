// Sockets over a port, in the WinterTC shape.

import { TorError } from "@allium/core";
import { describe, expect, it } from "vitest";
import { echoSocket, failureOf, pattern, served, settled, signalOf, until } from "./rig.ts";

function opened() {
  const rig = served();
  const echo = echoSocket();
  rig.client.onConnect = () => echo.socket;
  return {
    ...rig,
    ...echo,
    mine: rig.tor.connect({ hostname: "Example.com", port: 80 }, { isolation: "key" }),
  };
}

const failure = new TorError("remote-refused", "ALLIUM_E_STREAM_CONNECTREFUSED", "refused");

describe("a socket", () => {
  it("opens, echoes 3 MiB both ways at once, and closes", async () => {
    const { client, mine } = opened();
    expect(await mine.opened).toEqual({ remoteAddress: "192.0.2.7:7" });
    expect(client.calls[0]?.args[0]).toEqual({ hostname: "example.com", port: 80 });
    expect(client.calls[0]?.args[1]).toMatchObject({ isolation: "key" });
    expect([mine.upgraded, mine.secureTransport]).toEqual([false, "off"]);
    const sent = pattern(3 << 20);
    const writer = mine.writable.getWriter();
    const writing = writer.write(sent.buffer);
    const received: Uint8Array[] = [];
    let length = 0;
    for await (const chunk of mine.readable) {
      received.push(chunk);
      length += chunk.length;
      if (length === sent.length) break;
    }
    await writing;
    expect(Buffer.concat(received).equals(sent)).toBe(true);
    expect(sent.length).toBe(3 << 20);
    await mine.close();
  });

  it("sends what is written before it is open", async () => {
    const { mine } = opened();
    const writer = mine.writable.getWriter();
    await writer.write(new TextEncoder().encode("early"));
    const { value } = await mine.readable.getReader().read();
    expect(new TextDecoder().decode(value)).toBe("early");
    await mine.close();
  });

  it("closes its writer once everything written was taken, and can still be read", async () => {
    const { mine } = opened();
    const writer = mine.writable.getWriter();
    void writer.write(pattern(100_000));
    await writer.close();
    let length = 0;
    for await (const chunk of mine.readable) length += chunk.length;
    expect(length).toBe(100_000);
  });

  it("that is refused fails in opened, closed, readable and writable alike", async () => {
    const { tor, client } = served();
    const { socket, closed } = echoSocket();
    const opening = Promise.reject(failure);
    opening.catch(() => {});
    const readable = new ReadableStream({ start: (controller) => controller.error(failure) });
    client.onConnect = () => ({ ...socket, opened: opening, readable });
    closed.reject(failure);
    const mine = tor.connect("example.com:81");
    for (const operation of [
      mine.opened,
      mine.closed,
      mine.readable.getReader().read(),
      mine.writable.getWriter().closed,
    ])
      expect((await failureOf(operation)).code).toBe("ALLIUM_E_STREAM_CONNECTREFUSED");
  });

  it("that the peer ends closes, and what came before can be read", async () => {
    const { tor, client } = served();
    const { socket, closed } = echoSocket();
    const readable = new ReadableStream({
      start(controller) {
        controller.enqueue(pattern(5000));
        controller.close();
      },
    });
    client.onConnect = () => ({ ...socket, readable });
    const mine = tor.connect("example.com:80");
    await mine.opened;
    closed.resolve();
    await mine.closed;
    let length = 0;
    for await (const chunk of mine.readable) length += chunk.length;
    expect(length).toBe(5000);
    expect((await failureOf(mine.writable.getWriter().write(pattern(1)))).code).toBe(
      "ALLIUM_E_SOCKET_CLOSED",
    );
  });

  it("closed by the page drops what was not taken and ends the client's", async () => {
    const { client, mine } = opened();
    await mine.opened;
    const pending = mine.readable.getReader().read();
    await mine.close(new Error("changed my mind"));
    expect((await pending).done).toBe(true);
    await until(() => signalOf(client.calls[0]).aborted);
  });

  it("closed before it was open rejects opened with `aborted` and fulfils closed", async () => {
    const { mine } = opened();
    await mine.close();
    expect((await failureOf(mine.opened)).code).toBe("ALLIUM_E_ABORTED");
  });

  it("refuses at once what can never work", () => {
    const { tor, client } = served();
    expect(() => tor.connect("no port")).toThrow(/host:port/);
    expect(() => tor.connect("example.com:80", { secureTransport: "maybe" as "on" })).toThrow(/starttls/);
    expect(() => tor.connect("example.com:80", { allowHalfOpen: true as unknown as false })).toThrow(/half/);
    expect(client.calls).toEqual([]);
  });

  it("refuses to send what is no bytes", async () => {
    const { mine } = opened();
    const writing = mine.writable.getWriter().write("text" as unknown as Uint8Array);
    expect((await failureOf(writing)).code).toBe("ALLIUM_E_SOCKET_CHUNK");
    await mine.close();
  });

  it("for which the client throws fails as well", async () => {
    const { tor, client } = served();
    client.onConnect = () => {
      throw failure;
    };
    const mine = tor.connect("example.com:80");
    expect((await failureOf(mine.opened)).code).toBe("ALLIUM_E_STREAM_CONNECTREFUSED");
    expect((await failureOf(mine.readable.getReader().read())).code).toBe("ALLIUM_E_STREAM_CONNECTREFUSED");
    await settled();
  });
});

describe("a socket with TLS", () => {
  it("is asked for as the page says", async () => {
    const { client, tor } = served();
    client.onConnect = () => echoSocket("on").socket;
    const options = { secureTransport: "on", sni: "Other.example", alpn: ["imap"] } as const;
    const mine = tor.connect("example.com:993", options);
    await mine.opened;
    expect(client.calls[0]?.args[1]).toMatchObject({ ...options, sni: "other.example" });
    expect(mine.secureTransport).toBe("on");
    expect(() => mine.startTls()).toThrow(expect.objectContaining({ code: "ALLIUM_E_SOCKET_STARTTLS" }));
    await mine.close();
  });

  function starting() {
    const { client, tor } = served();
    const [plain, secured] = [echoSocket("starttls"), echoSocket("on")];
    client.onConnect = () => ({ ...plain.socket, startTls: () => secured.socket });
    const mine = tor.connect("example.com:143", { secureTransport: "starttls" });
    return { client, tor, plain, secured, mine };
  }

  it("starts in the middle of a connection, which goes on as another socket", async () => {
    const { mine, plain, secured } = starting();
    const writer = mine.writable.getWriter();
    await writer.write(new TextEncoder().encode("STARTTLS"));
    const reader = mine.readable.getReader();
    expect(new TextDecoder().decode((await reader.read()).value)).toBe("STARTTLS");
    const next = mine.startTls();
    expect(await reader.read()).toEqual({ done: true, value: undefined });
    await mine.closed;
    expect([mine.upgraded, next.upgraded, next.secureTransport]).toEqual([true, false, "on"]);
    await next.opened;
    await next.writable.getWriter().write(new TextEncoder().encode("secret"));
    expect(new TextDecoder().decode((await next.readable.getReader().read()).value)).toBe("secret");
    expect([plain.count(), secured.count()]).toEqual([0, 0]);
    expect(() => mine.startTls()).toThrow(expect.objectContaining({ code: "ALLIUM_E_SOCKET_STARTTLS" }));
  });

  it("fails by itself where the client cannot, and leaves the port as it is", async () => {
    const { client, tor } = served();
    client.onConnect = () => echoSocket("starttls").socket;
    const mine = tor.connect("example.com:143", { secureTransport: "starttls" });
    await mine.opened;
    const next = mine.startTls();
    expect(await failureOf(next.closed)).toMatchObject({ code: "ALLIUM_E_SOCKET_STARTTLS" });
    client.onConnect = () => echoSocket().socket;
    await tor.connect("example.com:80").opened;
  });

  it("ends with the signal that the plain one was given", async () => {
    const { client, tor } = served();
    const secured = echoSocket("on");
    client.onConnect = () => ({ ...echoSocket("starttls").socket, startTls: () => secured.socket });
    const controller = new AbortController();
    const mine = tor.connect("example.com:143", {
      secureTransport: "starttls",
      signal: controller.signal,
    });
    await mine.opened;
    const next = mine.startTls();
    await next.opened;
    controller.abort();
    expect(await failureOf(next.closed)).toMatchObject({ kind: "aborted" });
    await until(() => signalOf(client.calls[0]).aborted);
  });
});
