// Frames by the hundred thousand that are no messages: they cost the server two bytes each, and must not cost the page its turn.

import { expect, it } from "vitest";
import { clientFrames, frame } from "./rig.ts";
import { pause, stalled } from "./stalled.ts";

it.each<[string, number]>([
  ["pings", 0x89],
  ["pongs", 0x8a],
])("%s leave others their turns", async (_, bits) => {
  const { events, say } = await stalled();
  let turns = 0;
  const clock = setInterval(() => turns++, 1);
  say(Buffer.concat([...Array(200_000).fill(frame(bits)), frame(0x81, "after")]));
  await expect.poll(() => events.at(-1), { timeout: 20_000, interval: 1 }).toMatch(/after/);
  clearInterval(clock);
  expect(turns).toBeGreaterThan(5);
});

it("of the pings that wait to be answered the last 32 are", async () => {
  const { say, hold, written } = await stalled();
  const gate = hold();
  const before = written.length;
  for (let i = 0; i < 100; i++) say(frame(0x89, `${i}`));
  await pause();
  gate.resolve();
  await pause();
  const { frames } = clientFrames(Buffer.concat(written.slice(before)));
  const answered = frames.map(({ payload }) => Number(payload.toString()));
  expect(answered).toEqual([0, ...Array.from({ length: 32 }, (_, i) => 68 + i)]);
});
