import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { RelayHealthList } from "../../src/client/relay-health.ts";

const hop = (id: number, nickname = `Relay${id}`) => ({
  nickname,
  rsaId: `${id}`.padStart(40, "A"),
  addresses: [],
});
const AT = Date.UTC(2026, 0, 1);

describe("the health of relays", () => {
  it("is what became of circuits through them, the one used last at first", () => {
    const list = new RelayHealthList();
    list.built(hop(1));
    list.failed(hop(2), "ALLIUM_E_LINK_TIMEOUT", AT);
    list.built(hop(1));
    list.failed(hop(1), "ALLIUM_E_CIRCUIT_TIMEOUT", AT + 1000);
    expect(list.list()).toEqual([
      {
        ...{ nickname: "Relay1", rsaId: hop(1).rsaId, built: 2, failed: 1 },
        lastFailure: { code: "ALLIUM_E_CIRCUIT_TIMEOUT", at: "2026-01-01T00:00:01.000Z" },
      },
      {
        ...{ nickname: "Relay2", rsaId: hop(2).rsaId, built: 0, failed: 1 },
        lastFailure: { code: "ALLIUM_E_LINK_TIMEOUT", at: "2026-01-01T00:00:00.000Z" },
      },
    ]);
  });

  it("keeps no address", () => {
    const list = new RelayHealthList();
    list.built({ ...hop(1), addresses: ["192.0.2.1:9001"] });
    expect(JSON.stringify(list.list())).not.toContain("192.0.2.1");
  });

  it("takes the name that a consensus gives to a fallback, and keeps it", () => {
    const list = new RelayHealthList();
    list.built(hop(1, ""));
    expect(list.list()[0]?.nickname).toBe("");
    list.built(hop(1, "named"));
    list.built(hop(1, ""));
    expect(list.list()).toMatchObject([{ nickname: "named", built: 3 }]);
  });

  it("is kept of the last 32, whatever is used", () => {
    fc.assert(
      fc.property(fc.array(fc.nat({ max: 60 }), { minLength: 50, maxLength: 300 }), (used) => {
        const list = new RelayHealthList();
        for (const id of used) list.built(hop(id));
        const newest = [...new Set([...used].reverse())].slice(0, 32);
        expect(list.list().map(({ nickname }) => nickname)).toEqual(newest.map((id) => `Relay${id}`));
      }),
    );
  });
});
