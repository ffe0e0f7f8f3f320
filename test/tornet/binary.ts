// A copy of tor that says nothing of CGO. tor has no option for that: its client asks for CGO wherever congestion control is
// in force and the exit's line of protocols has Relay=5 and 6, so congestion control with tor1 is to be had from exits only
// that do not say so, as those of tor 0.4.8 did not. The copy differs in one byte, the end of that line's range.

import { execFile } from "node:child_process";
import { readFile, writeFile } from "node:fs/promises";
import { promisify } from "node:util";

/** The end of the list in protover.c, and the same without subprotocol negotiation (5) and CGO (6). */
const OWN = Buffer.from(" Padding=2 Relay=2-6\0", "latin1");
const OLDER = Buffer.from(" Padding=2 Relay=2-4\0", "latin1");

/** The bytes of a tor that does not announce CGO. @throws where this tor has another line */
export function withoutCgo(program: Buffer): Buffer {
  const at = program.indexOf(OWN);
  if (at < 0 || program.indexOf(OWN, at + 1) >= 0) {
    throw new Error("this tor's list of protocols does not end as expected: it cannot be run without CGO");
  }
  const changed = Buffer.from(program);
  OLDER.copy(changed, at);
  return changed;
}

/** Writes such a copy of the installed tor to `file`. */
export async function writeTorWithoutCgo(file: string): Promise<void> {
  const { stdout } = await promisify(execFile)("which", ["tor"]);
  await writeFile(file, withoutCgo(await readFile(stdout.trim())), { mode: 0o700 });
}
