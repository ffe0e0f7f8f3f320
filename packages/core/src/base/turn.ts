// Long work on the one thread there is, cut into turns so that a page stays responsive.

/** Milliseconds of work after which others get their turn. */
const TURN = 8;

/** Fulfilled in a later task, once everybody else had a turn. */
export async function giveWay(): Promise<void> {
  // A message is a task of its own. WebCrypto's answers are not (Chromium), and timers of hidden pages are held for a second.
  const { port1, port2 } = new MessageChannel();
  await new Promise<void>((resolve) => {
    port1.onmessage = () => resolve();
    port2.postMessage(null);
  });
  port1.close();
}

/** A stretch of work: when it is over, `giveWay` begins another. */
export class Turn {
  #began = performance.now();

  get isOver(): boolean {
    return performance.now() - this.#began >= TURN;
  }

  async giveWay(): Promise<void> {
    await giveWay();
    this.#began = performance.now();
  }
}
