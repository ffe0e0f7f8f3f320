// Checks for what comes over a port: each takes any value and returns it typed, or throws. A table of shapes, one for each
// kind of message, is at once the check and the type.

import { protocolViolation } from "@allium/core/internal";

export type Check<T> = (value: unknown) => T;
type Fields = Readonly<Record<string, Check<unknown>>>;
type Checked<F extends Fields> = { readonly [K in keyof F]: ReturnType<F[K]> };
export type Shapes = Readonly<Record<string, Fields>>;

/** The messages that a table allows. */
export type MessageOf<S extends Shapes> = {
  [K in keyof S & string]: { readonly type: K } & Checked<S[K]>;
}[keyof S & string];

/** The error for a message that the protocol has not. */
export function misfit(what: string) {
  return protocolViolation("ALLIUM_E_REMOTE_PROTOCOL", `the other side of the port sent ${what}`);
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  // No list, map, error or other object of the platform's.
  return Object.prototype.toString.call(value) === "[object Object]";
}

/** A message with exactly the fields of its shape. @throws TorError `protocol-violation` */
export function parseMessage<S extends Shapes>(shapes: S, value: unknown): MessageOf<S> {
  if (!isObject(value)) throw misfit("something that is not a message");
  const { type } = value;
  const shape = typeof type === "string" && Object.hasOwn(shapes, type) ? shapes[type] : undefined;
  if (shape === undefined) throw misfit("a message of an unknown type");
  for (const name of Object.keys(value)) {
    if (name !== "type" && !Object.hasOwn(shape, name)) throw misfit(`${type} with a field too many`);
  }
  const message: Record<string, unknown> = { type };
  for (const [name, check] of Object.entries(shape)) message[name] = check(value[name]);
  return message as MessageOf<S>;
}

export function whole(min: number, max: number): Check<number> {
  return (value) => {
    if (typeof value !== "number" || !Number.isInteger(value) || value < min || value > max)
      throw misfit("a number out of its range");
    return value;
  };
}

/** A number that is neither negative nor endless. */
export const quantity: Check<number> = (value) => {
  if (typeof value !== "number" || !(value >= 0 && value < Number.POSITIVE_INFINITY))
    throw misfit("a number out of its range");
  return value;
};

export function text(max: number, form?: RegExp): Check<string> {
  return (value) => {
    if (typeof value !== "string" || value.length > max || form?.test(value) === false)
      throw misfit("a text that is too long or malformed");
    return value;
  };
}

export const flag: Check<boolean> = (value) => {
  if (typeof value !== "boolean") throw misfit("something that is neither true nor false");
  return value;
};

export function oneOf<T extends string>(...values: readonly T[]): Check<T> {
  return (value) => {
    if (!values.includes(value as T)) throw misfit("a word that is none of those it may be");
    return value as T;
  };
}

export function optional<T>(check: Check<T>): Check<T | undefined> {
  return (value) => (value === undefined ? undefined : check(value));
}

export function listOf<T>(check: Check<T>, max: number): Check<readonly T[]> {
  return (value) => {
    if (!Array.isArray(value) || value.length > max) throw misfit("a list that is too long or none");
    return value.map(check);
  };
}

/** An object of texts, each and its name no longer than `max`. */
export function texts(maxCount: number, max: number): Check<Readonly<Record<string, string>>> {
  const part = text(max);
  return (value) => {
    if (!isObject(value)) throw misfit("something that is not an object");
    const entries = Object.entries(value);
    if (entries.length > maxCount) throw misfit("an object that is too large");
    return Object.fromEntries(entries.map(([name, item]) => [part(name), part(item)]));
  };
}

/** Pairs of name and value, their texts together no longer than `max`. */
export function fields(maxCount: number, max: number): Check<readonly (readonly [string, string])[]> {
  return (value) => {
    let left = max;
    const part = (item: unknown): string => {
      const checked = text(left)(item);
      left -= checked.length;
      return checked;
    };
    return listOf((pair) => {
      if (!Array.isArray(pair) || pair.length !== 2) throw misfit("a field that is not a pair");
      return [part(pair[0]), part(pair[1])] as const;
    }, maxCount)(value);
  };
}

/** A transferred buffer that is not empty: an empty one would cost nothing of the window. */
export function buffer(min: number, max: number): Check<ArrayBuffer> {
  return (value) => {
    if (!(value instanceof ArrayBuffer) || value.byteLength < min || value.byteLength > max)
      throw misfit("bytes that are too many or none");
    return value;
  };
}

export function object<T>(shape: { readonly [K in keyof T]: Check<T[K]> }): Check<T> {
  return (value) => {
    if (!isObject(value)) throw misfit("something that is not an object");
    const result: Record<string, unknown> = {};
    for (const name of Object.keys(shape)) result[name] = shape[name as keyof T](value[name]);
    return result as T;
  };
}

const MAX_DEPTH = 8;

/**
 * Plain data (objects, lists, texts, numbers, flags) of bounded size in which the fields of `required` are as they say.
 * For what the client tells of itself: it may grow fields that this file need not know.
 */
export function plain<T>(max: number, required: { readonly [K in keyof T]?: Check<unknown> } = {}): Check<T> {
  return (value) => {
    let left = max;
    const walk = (node: unknown, depth: number): void => {
      left -= typeof node === "string" ? 1 + node.length : 1;
      if (left < 0 || depth > MAX_DEPTH) throw misfit("data that are too large");
      if (Array.isArray(node)) for (const item of node) walk(item, depth + 1);
      else if (isObject(node)) {
        for (const [name, item] of Object.entries(node)) {
          left -= name.length;
          walk(item, depth + 1);
        }
      } else if (!["string", "number", "boolean", "undefined"].includes(typeof node) && node !== null) {
        throw misfit("data that are not plain");
      }
    };
    walk(value, 0);
    for (const [name, check] of Object.entries(required) as [string, Check<unknown>][]) {
      if (!isObject(value)) throw misfit("something that is not an object");
      check(value[name]);
    }
    return value as T;
  };
}
