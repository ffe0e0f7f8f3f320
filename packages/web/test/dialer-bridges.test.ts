// The dialer's way from one address, or one bridge, to the next, against real WebSockets (bridge-spec).

import { describe, expect, it, vi } from "vitest";
import { bridgesOf, dialThrough, webDialer } from "../src/dialer.ts";
import { hello, rejection, relay, twoAddresses, write } from "./dialer-rig.ts";
import { closedPort, scriptedBridge } from "./scripted-bridge.ts";

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

  it("is another one from the time on when that one is to be left, for whatever begins with it", async () => {
    const [one, two] = [await scriptedBridge(), await scriptedBridge()];
    const bridges = bridgesOf({ bridges: [one.url, two.url] });
    const dialer = dialThrough(bridges);
    dialer.leave?.(two.url);
    expect(bridges.current).toBe(0);
    dialer.leave?.(one.url);
    expect(bridges.current).toBe(1);
    dialer.leave?.(two.url);
    expect(bridges.current).toBe(0);
  });
});
