// The compliance suite of the Store port.

import { deferred } from "../base/abort.ts";
import type { Store } from "../base/ports.ts";
import { type Case, check, checkBytes, numberedBytes, turn } from "./case.ts";

const one = (key: string, value: Uint8Array | undefined) => new Map([[key, value]]);

/** What every Store does. `make` gives an empty store each time. */
export function storeCases(make: () => Promise<Store>): readonly Case[] {
  const on = (name: string, body: (store: Store) => Promise<void>): Case => ({
    name,
    run: async () => body(await make()),
  });
  return [...valueCases(on), ...lockCases(on)];
}

type On = (name: string, body: (store: Store) => Promise<void>) => Case;

function valueCases(on: On): readonly Case[] {
  return [
    on("a key that was never set has no value", async (store) => {
      for (const key of ["absent", "__proto__", "constructor"])
        check((await store.get(key)) === undefined, key);
    }),
    on("a value comes back as it was set, empty and large ones too", async (store) => {
      for (const length of [0, 1, 1000, 4 * 1024 * 1024]) {
        await store.set(one("key", numberedBytes(length)));
        checkBytes(await store.get("key"), numberedBytes(length), `a value of ${length} bytes`);
      }
    }),
    on("a later value replaces an earlier one", async (store) => {
      await store.set(one("key", numberedBytes(50, 1)));
      await store.set(one("key", numberedBytes(20, 2)));
      checkBytes(await store.get("key"), numberedBytes(20, 2), "the value");
    }),
    on("keys that look alike or special are apart", async (store) => {
      const keys = ["a", "A", "a.b", "a/b", "a b", "__proto__", "constructor", "../a"];
      await store.set(new Map(keys.map((key, i) => [key, numberedBytes(10, i)])));
      for (const [i, key] of keys.entries()) checkBytes(await store.get(key), numberedBytes(10, i), key);
    }),
    on("undefined deletes, also what is not there", async (store) => {
      await store.set(
        new Map([
          ["kept", numberedBytes(3)],
          ["gone", numberedBytes(3)],
        ]),
      );
      await store.set(
        new Map([
          ["gone", undefined],
          ["absent", undefined],
        ]),
      );
      check((await store.get("gone")) === undefined, "the deleted value is there");
      checkBytes(await store.get("kept"), numberedBytes(3), "the other value");
    }),
    on("sets made together leave the entries of one of them", async (store) => {
      const both = (seed: number) =>
        store.set(
          new Map([
            ["x", numberedBytes(100, seed)],
            ["y", numberedBytes(100, seed)],
          ]),
        );
      await Promise.all([1, 2, 3, 4, 5].map(both));
      checkBytes(await store.get("x"), (await store.get("y")) as Uint8Array, "the one value");
    }),
    on("a set that fails leaves everything as it was", async (store) => {
      await store.set(one("x", numberedBytes(5, 1)));
      const broken = new Map<string, Uint8Array | undefined>();
      broken[Symbol.iterator] = function* () {
        yield ["x", numberedBytes(5, 2)];
        throw new Error("no more entries");
      };
      broken.entries = () => broken[Symbol.iterator]();
      broken.forEach = (visit) => {
        for (const [key, value] of broken) visit(value, key, broken);
      };
      const outcome = await store.set(broken).catch((error: unknown) => error);
      check(outcome instanceof Error, "it succeeds");
      checkBytes(await store.get("x"), numberedBytes(5, 1), "the value");
    }),
    on("the store keeps bytes of its own", async (store) => {
      const room = numberedBytes(30);
      const value = room.subarray(10, 20);
      const expected = value.slice();
      await store.set(one("key", value));
      room.fill(0);
      const first = await store.get("key");
      checkBytes(first, expected, "the value after the caller changed its own");
      first?.fill(0);
      checkBytes(await store.get("key"), expected, "the value after a reader changed its own");
    }),
  ];
}

function lockCases(on: On): readonly Case[] {
  return [
    on("a lock is held by one at a time, in the order of asking", async (store) => {
      const order: string[] = [];
      const hold = (name: string) =>
        store.lock("lock", async () => {
          order.push(`${name}+`);
          await turn();
          order.push(`${name}-`);
        });
      await Promise.all(["a", "b", "c"].map(hold));
      check(order.join(" ") === "a+ a- b+ b- c+ c-", `the order is ${order.join(" ")}`);
    }),
    on("locks of different names do not wait for each other", async (store) => {
      const held = deferred();
      const first = store.lock("one", () => held.promise);
      await store.lock("two", async () => {});
      held.resolve();
      await first;
    }),
    on("a lock hands on what its holder returns or throws, and is free after either", async (store) => {
      check((await store.lock("lock", async () => 42)) === 42, "the result is another");
      const thrown = new Error("the holder failed");
      const outcome = await store.lock("lock", () => Promise.reject(thrown)).catch((error: unknown) => error);
      check(outcome === thrown, "the error is another");
      check((await store.lock("lock", async () => "free")) === "free", "the lock is not free");
    }),
    on("values can be read and set under a lock", async (store) => {
      const increment = () =>
        store.lock("count", async () => {
          const [count] = (await store.get("count")) ?? [0];
          await store.set(one("count", Uint8Array.of((count as number) + 1)));
        });
      await Promise.all(Array.from({ length: 10 }, increment));
      checkBytes(await store.get("count"), Uint8Array.of(10), "the count");
    }),
  ];
}
