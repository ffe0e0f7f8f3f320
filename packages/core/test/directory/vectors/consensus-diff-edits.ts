// Diffs of our own: edits of an array of lines, the ed script that says them, and what ed would make of it.

/** Lines to keep, then lines to take away, then lines to put in their place. */
export interface Edit {
  readonly keep: number;
  readonly remove: number;
  readonly insert: readonly string[];
  /** Whether to write "n,n" for one line, and "$" where that can be said. */
  readonly longForm: boolean;
}

export interface EdCommand {
  readonly first: number;
  readonly last: number;
  readonly action: "a" | "c" | "d";
  readonly insert: readonly string[];
  readonly longForm: boolean;
}

/** The commands of edits, from the end of a document of `count` lines to its beginning. */
export function commandsOf(count: number, edits: readonly Edit[]): EdCommand[] {
  const commands: EdCommand[] = [];
  let at = 0;
  for (const { keep, remove, insert, longForm } of edits) {
    const before = Math.min(count, at + keep);
    at = Math.min(count, before + remove);
    if (at === before && insert.length === 0) continue;
    const action = at === before ? "a" : insert.length === 0 ? "d" : "c";
    const first = action === "a" ? before : before + 1;
    commands.unshift({ first, last: action === "a" ? before : at, action, insert, longForm });
  }
  return commands;
}

export function scriptOf(count: number, commands: readonly EdCommand[]): string {
  const texts = commands.map(({ first, last, action, insert, longForm }, i) => {
    const toEnd = i === 0 && action === "d" && last === count && longForm;
    const isShort = first === last && (action === "a" || !longForm);
    const range = isShort ? `${first}` : `${first},${toEnd ? "$" : last}`;
    return `${range}${action}\n${insert.length === 0 ? "" : `${insert.join("\n")}\n.\n`}`;
  });
  return texts.join("");
}

/** What ed does: each command on the lines as the one before it left them. */
export function naively(lines: readonly string[], commands: readonly EdCommand[]): string[] {
  const result = [...lines];
  for (const { first, last, action, insert } of commands) {
    if (action === "a") result.splice(first, 0, ...insert);
    else result.splice(first - 1, last - first + 1, ...insert);
  }
  return result;
}

export function joined(lines: readonly string[]): string {
  return lines.map((line) => `${line}\n`).join("");
}

/** Every so many lines something is done to one: deterministic, and all three commands are in it. */
export function someEdits(count: number): Edit[] {
  const edits: Edit[] = [];
  for (let i = 0; i < count / 12; i++) {
    const insert = Array.from({ length: (i * 7) % 3 }, (_, j) => `w Bandwidth=${i} New=${j}`);
    edits.push({ keep: 8 + ((i * 5) % 7), remove: (i * 11) % 4, insert, longForm: false });
  }
  return edits;
}
