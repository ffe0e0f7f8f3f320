// What a client hears from its platform, and asks of it.

import type { ClientStatus, TorClientEvents } from "@allium/core";
import { TypedEventTarget } from "@allium/core/internal";
import { expect, it } from "vitest";
import { askPersistence, type Platform, watchNetwork, watchPage } from "../src/platform.ts";

class Client extends TypedEventTarget<TorClientEvents> {
  changes = 0;
  resumes = 0;
  networkChanged(): void {
    this.changes++;
  }
  resumed(): void {
    this.resumes++;
  }
  become(status: Partial<ClientStatus>): void {
    this.emit("status", { fraction: 0, phase: "bridge", ready: false, ...status });
  }
}

/** Event targets that count their listeners. */
class Target {
  readonly listeners = new Set<() => void>();
  addEventListener(_type: string, listener: () => void): void {
    this.listeners.add(listener);
  }
  removeEventListener(_type: string, listener: () => void): void {
    this.listeners.delete(listener);
  }
  fire(): void {
    for (const listener of this.listeners) listener();
  }
}

it("tells the client of a network that is there again, and of another one", () => {
  const connection = Object.assign(new Target(), { type: "wifi" });
  const platform = Object.assign(new Target(), { navigator: { connection } });
  const client = new Client();
  watchNetwork(client, platform);
  platform.fire();
  connection.type = "cellular";
  connection.fire();
  expect(client.changes).toBe(2);
  // A new estimate of its speed.
  connection.fire();
  expect(client.changes).toBe(2);
});

it("tells the client when the page is seen again or thawed, and not when it is hidden", () => {
  const document = Object.assign(new Target(), { visibilityState: "hidden" });
  const client = new Client();
  watchPage(client, { document });
  document.fire();
  expect(client.resumes).toBe(0);
  document.visibilityState = "visible";
  document.fire();
  expect(client.resumes).toBe(1);
});

it("does without any of it", () => {
  watchNetwork(new Client(), {});
  watchPage(new Client(), {});
  const client = new Client();
  askPersistence(client, { navigator: { storage: {} } });
  client.become({ ready: true });
});

it("asks for persistence once, when the client is ready, and bears a refusal", async () => {
  let asked = 0;
  const refuse = async () => {
    asked++;
    throw new Error("no");
  };
  const platform: Platform = { navigator: { storage: { persist: refuse } } };
  const client = new Client();
  askPersistence(client, platform);
  client.become({ fraction: 0.5 });
  expect(asked).toBe(0);
  client.become({ ready: true });
  client.become({ ready: true });
  await Promise.resolve();
  expect(asked).toBe(1);
});
