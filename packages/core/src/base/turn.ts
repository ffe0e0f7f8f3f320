// Long work on the one thread there is, cut into turns so that a page stays responsive.

/** Milliseconds of work after which others get their turn. */
const TURN = 8;

/** Fulfilled in a later task, once everybody else had a turn. */
export async function giveWay(): Promise<void> {
  // WebCrypto answers in a task of its own. A timer would too, but browsers hold those of hidden pages for a second or more.
  await crypto.subtle.digest("SHA-256", new Uint8Array(0));
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
