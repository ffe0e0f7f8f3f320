import { describe, expect, it } from "vitest";
import { TypedEventTarget } from "../../src/base/events.ts";

class Source extends TypedEventTarget<{ status: number; closed: string }> {
  tell(value: number): void {
    this.emit("status", value);
  }
}

describe("typed events", () => {
  it("reach the listeners of their name with their detail", () => {
    const source = new Source();
    const heard: unknown[] = [];
    source.addEventListener("status", (event) => heard.push(event.type, event.detail));
    source.addEventListener("closed", () => heard.push("never"));
    source.tell(7);
    expect(heard).toEqual(["status", 7]);
  });

  it("stop with removal, once and a signal", () => {
    const source = new Source();
    const heard: string[] = [];
    const removed = () => heard.push("removed");
    const controller = new AbortController();
    source.addEventListener("status", removed);
    source.removeEventListener("status", removed);
    source.addEventListener("status", () => heard.push("once"), { once: true });
    source.addEventListener("status", () => heard.push("signal"), { signal: controller.signal });
    source.tell(1);
    controller.abort();
    source.tell(2);
    expect(heard).toEqual(["once", "signal"]);
  });
});
