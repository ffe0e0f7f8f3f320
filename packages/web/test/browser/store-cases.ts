// The compliance suite of the Store port against webStore, in a browser: a page loads this module and calls it.

import { isTorError } from "@allium/core";
import { type Case, storeCases } from "@allium/core/testing";
import { webStore } from "../../src/store.ts";

export interface CaseResult {
  readonly name: string;
  /** What went wrong, or undefined. */
  readonly failure?: string;
}

let databases = 0;
const freshName = () => `store-cases-${Date.now()}-${++databases}`;

/** Runs every case by itself; the result can be passed on as JSON. */
export async function runStoreCases(): Promise<CaseResult[]> {
  const results: CaseResult[] = [];
  for (const { name, run } of [...storeCases(async () => webStore(freshName())), ...browserCases()]) {
    try {
      await run();
      results.push({ name });
    } catch (error) {
      results.push({ name, failure: String(error) });
    }
  }
  return results;
}

function check(condition: boolean, message: string): void {
  if (!condition) throw new Error(message);
}

function browserCases(): Case[] {
  const value = (byte: number) => new Map([["key", Uint8Array.of(byte)]]);
  return [
    {
      name: "stores of one name share their values and their locks, others do not",
      run: async () => {
        const name = freshName();
        const [one, same, other] = [webStore(name), webStore(name), webStore(freshName())];
        await one.set(value(7));
        check((await same.get("key"))?.[0] === 7, "the value is not shared");
        check((await other.get("key")) === undefined, "the value is in another database");
        const order: string[] = [];
        const hold = (store: typeof one, label: string) =>
          store.lock("lock", async () => {
            order.push(`${label}+`);
            await store.get("key");
            order.push(`${label}-`);
          });
        await Promise.all([hold(one, "a"), hold(same, "b")]);
        check(order.join(" ") === "a+ a- b+ b-", `the order is ${order.join(" ")}`);
      },
    },
    {
      name: "a newer version of the database is not held up, and refuses the older one by name",
      run: async () => {
        const name = freshName();
        const store = webStore(name);
        await store.set(value(1));
        const newer = await new Promise<IDBDatabase>((resolve, reject) => {
          const request = indexedDB.open(name, 99);
          request.onsuccess = () => resolve(request.result);
          request.onerror = () => reject(request.error);
          request.onblocked = () => reject(new Error("the newer version is blocked"));
        });
        const error = await store.get("key").catch((thrown: unknown) => thrown);
        newer.close();
        check(isTorError(error) && error.code === "ALLIUM_E_STORAGE_VERSION", `it is ${String(error)}`);
      },
    },
    {
      name: "a database that is deleted under it is made anew",
      run: async () => {
        const name = freshName();
        const store = webStore(name);
        await store.set(value(1));
        await new Promise<void>((resolve, reject) => {
          const request = indexedDB.deleteDatabase(name);
          request.onsuccess = () => resolve();
          request.onerror = () => reject(request.error);
        });
        check((await store.get("key")) === undefined, "the value is still there");
        await store.set(value(2));
        check((await store.get("key"))?.[0] === 2, "nothing is stored");
      },
    },
  ];
}
