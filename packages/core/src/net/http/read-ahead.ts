// A response's body, read a little ahead of its reader: a short one nobody reads leaves its connection to others.

import type { HttpBody } from "./exchange.ts";

/** Bytes that wait for the reader, and a piece of the stream besides. */
const AHEAD = 65_536;
/** What a piece that waits is counted with beside its bytes: it takes that much, and a server may send one for every byte. */
const PIECE_COST = 256;

export function readAhead(body: HttpBody): HttpBody {
  const pieces: Uint8Array[] = [];
  let held = 0;
  let over = false;
  let failure: unknown;
  let reading: Promise<void> | undefined;

  function take(bytes: Uint8Array | undefined): void {
    if (bytes === undefined) over = true;
    else {
      pieces.push(bytes);
      held += bytes.length + PIECE_COST;
    }
  }
  function more(): void {
    if (reading !== undefined || over || held >= AHEAD) return;
    reading = body.next().then(take, (error) => {
      over = true;
      failure = error;
    });
    void reading.then(() => {
      reading = undefined;
      more();
    });
  }
  more();
  return {
    async next() {
      while (pieces.length === 0 && reading !== undefined) await reading;
      const piece = pieces.shift();
      if (piece !== undefined) held -= piece.length + PIECE_COST;
      more();
      if (piece === undefined && failure !== undefined) throw failure;
      return piece;
    },
    cancel(reason) {
      over = true;
      pieces.length = 0;
      body.cancel(reason);
    },
  };
}

/** Reads what is left of a body that is not long, for the sake of its connection; gives up a longer one. */
export async function discard(body: HttpBody): Promise<void> {
  let left = AHEAD;
  for (let bytes = await body.next(); bytes !== undefined; bytes = await body.next()) {
    left -= bytes.length;
    if (left < 0) return body.cancel();
  }
}
