// Random bytes in DATA cells now and then, so that nobody can tell a SENDME's tag without having seen the cells
// (proposal 289 3.4). As often as C tor's clients have them, whatever the SENDME increment is.

import { randomInt } from "../../base/random.ts";

/** Cells between two with random bytes are drawn from [50, 100), half the fixed window's increment and up. */
const INTERVAL = 50;
/** Padding that makes a tag unpredictable: a gap of 4 zero bytes and 16 random ones. */
const RANDOM_ROOM = 4 + 16;

export class RandomData {
  #cellsLeft = drawInterval();
  #hasBeenRandom = false;

  /** How many bytes of data the next DATA cell carries when `available` are at hand and `max` fit. */
  dataLength(available: number, max: number): number {
    const withRandom = max - RANDOM_ROOM;
    const due = this.#cellsLeft === 0;
    const length = Math.min(available, due && !this.#hasBeenRandom ? withRandom : max);
    if (due) {
      this.#cellsLeft = drawInterval();
      this.#hasBeenRandom = false;
    } else if (length <= withRandom) {
      this.#hasBeenRandom = true;
    }
    this.#cellsLeft--;
    return length;
  }
}

function drawInterval(): number {
  return INTERVAL + randomInt(INTERVAL);
}
