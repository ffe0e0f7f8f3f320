// The plot of what the client receives and sends, in the page's colours.

import uPlot from "uplot";
import { formatRate } from "../format.ts";

const SECONDS = 120;
const HEIGHT = 180;
/** Bytes per second that the scale shows at the least. */
const LEAST = 1024;
/** Between lines of the grid: so that they stand at whole KiB and MiB. */
const INCREMENTS = Array.from({ length: 24 }, (_, i) => 2 ** (i + 8));

export class ThroughputPlot {
  readonly #into: HTMLElement;
  #plot: uPlot | undefined;

  /** @param signal ends it */
  constructor(into: HTMLElement, signal: AbortSignal) {
    this.#into = into;
    const resized = new ResizeObserver(() => this.#resize());
    resized.observe(into);
    // A canvas does not follow the style sheet by itself.
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.#make(), { signal });
    signal.addEventListener("abort", () => {
      resized.disconnect();
      this.#plot?.destroy();
    });
    this.#make();
  }

  draw(columns: uPlot.AlignedData): void {
    this.#plot?.setData(columns);
  }

  #make(): void {
    const data = this.#plot?.data ?? [[], [], []];
    this.#plot?.destroy();
    this.#plot = new uPlot(options(this.#into), data, this.#into);
  }

  #resize(): void {
    this.#plot?.setSize({ width: this.#into.clientWidth, height: HEIGHT });
  }
}

function options(into: HTMLElement): uPlot.Options {
  const style = getComputedStyle(into);
  const colour = (name: string) => resolveColour(into, name);
  const font = `12px ${style.fontFamily}`;
  const axis = {
    stroke: colour("soft"),
    font,
    grid: { stroke: colour("line"), width: 1 },
    ticks: { show: false },
  };
  return {
    ...{ width: into.clientWidth, height: HEIGHT, legend: { show: false }, cursor: { show: false } },
    padding: [8, 20, 0, 0],
    scales: {
      x: { time: false, range: [-SECONDS, 0] },
      y: { range: (_, __, most) => [0, Math.max(LEAST, 1.1 * (most ?? 0))] },
    },
    axes: [
      {
        ...axis,
        size: 28,
        values: (_, values) => values.map((value) => (value === 0 ? "now" : `${value} s`)),
      },
      { ...axis, size: 84, incrs: INCREMENTS, values: (_, values) => values.map(formatRate) },
    ],
    series: [
      {},
      {
        label: "received",
        stroke: colour("accent"),
        width: 2,
        fill: colour("accent-soft"),
        points: { show: false },
      },
      { label: "sent", stroke: colour("good"), width: 2, points: { show: false } },
    ],
  };
}

/** A custom property as a plain colour: a canvas knows nothing of light-dark(). */
function resolveColour(into: HTMLElement, name: string): string {
  const probe = document.createElement("span");
  probe.className = `colour-${name}`;
  into.append(probe);
  const { color } = getComputedStyle(probe);
  probe.remove();
  return color;
}
