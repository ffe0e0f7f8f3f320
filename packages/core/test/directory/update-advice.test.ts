// "Recommended protocols (warn)" (proposal 297): the advice to update is given when it is news.

import { expect, it } from "vitest";
import { HOUR, NOW } from "./builder.ts";
import { honest, networkDocuments, TestCaches } from "./cache-server.ts";
import { TestClock } from "./manual-clock.ts";
import { authorities, relays, setup } from "./setup.ts";

it("the advice to update is logged when what is missing changes, not with each consensus", async () => {
  const clock = new TestClock(NOW);
  let recommended = "";
  const current = () =>
    networkDocuments(authorities, relays, {
      validAfter: clock.now() - HOUR / 2,
      header: `recommended-client-protocols ${recommended}\n`,
    });
  const { bootstrap, events } = setup({ clock, caches: new TestCaches(honest(current)) });
  const advice: unknown[] = [];
  for (recommended of ["Cons=2", "Future=1", "Cons=2 Future=1", "Future=1-2", "Cons=2", "Future=1-2"]) {
    events.length = 0;
    await bootstrap();
    const said = events.filter(({ code }) => code === "directory-update-recommended");
    advice.push(said.map(({ data }) => data?.missing));
    clock.set(clock.now() + 4 * HOUR);
  }
  expect(advice).toEqual([[], ["Future=1"], [], ["Future=1 Future=2"], [], ["Future=1 Future=2"]]);
});
