import { describe, expect, it } from "vitest";
import { duplexStream } from "../../src/base/duplex-stream.ts";
import { TorError } from "../../src/base/errors.ts";
import { duplexPair } from "../../src/testing/index.ts";

function streams(highWaterMark?: number) {
  const [near, far] = duplexPair(highWaterMark);
  near.closed.catch(() => {});
  return { near: duplexStream(near), far: duplexStream(far) };
}

const of = (...bytes: number[]) => Uint8Array.from(bytes);
const turn = () => new Promise<void>((resolve) => setTimeout(resolve, 0));
const reason = new TorError("limit", "ALLIUM_E_TEST", "enough");

describe("a Duplex as a byte stream", () => {
  it("carries bytes both ways and ends cleanly", async () => {
    const { near, far } = streams();
    await near.write(of(1, 2));
    await far.write(of(3));
    expect(await far.read()).toEqual(of(1, 2));
    expect(await near.read()).toEqual(of(3));
    far.close();
    expect(await near.read()).toBeUndefined();
    expect(await far.read()).toBeUndefined();
  });

  it("delivers what arrived before the end", async () => {
    const { near, far } = streams();
    await far.write(of(1));
    await far.write(of(2));
    await turn();
    far.close();
    expect(await near.read()).toEqual(of(1));
    expect(await near.read()).toEqual(of(2));
    expect(await near.read()).toBeUndefined();
  });

  it("makes a writer wait while nobody reads", async () => {
    const { near, far } = streams(1000);
    let written = 0;
    const writing = (async () => {
      for (; written < 20; written++) await near.write(new Uint8Array(500));
    })();
    for (let i = 0; i < 30; i++) await turn();
    const stuck = written;
    expect(stuck).toBeLessThan(8);
    for (let got = 0; got < 10_000; got += (await far.read())?.length ?? 0);
    await writing;
    expect(written).toBe(20);
  });

  it("takes note of a Duplex that fails, so that its rejection ends no process", async () => {
    const unhandled: unknown[] = [];
    const note = (error: unknown) => unhandled.push(error);
    process.on("unhandledRejection", note);
    const [near] = duplexPair();
    duplexStream({ ...near, closed: Promise.reject(reason) });
    await turn();
    process.off("unhandledRejection", note);
    expect(unhandled).toEqual([]);
  });

  it("closed with an error rejects reads and writes with it, pending and later", async () => {
    const { near } = streams();
    const pending = near.read().catch((error: unknown) => error);
    near.close(reason);
    near.close();
    expect(await pending).toBe(reason);
    await expect(near.read()).rejects.toBe(reason);
    await expect(near.write(of(1))).rejects.toBe(reason);
  });

  it("closed with an error rejects a read with it, even where the Duplex ends cleanly", async () => {
    const [duplex] = duplexPair();
    const near = duplexStream({ ...duplex, close: () => duplex.close() });
    const pending = near.read().catch((error: unknown) => error);
    near.close(reason);
    expect(await pending).toBe(reason);
  });

  it("turns foreign failures into TorErrors", async () => {
    const [near] = duplexPair();
    near.closed.catch(() => {});
    const foreign = {
      ...near,
      readable: new ReadableStream<Uint8Array>({
        start: (controller) => controller.error(new Error("wire cut")),
      }),
    };
    const outcome = await duplexStream(foreign)
      .read()
      .catch((error: unknown) => error);
    expect(outcome).toBeInstanceOf(TorError);
    expect(outcome).toMatchObject({ kind: "internal" });
  });
});
