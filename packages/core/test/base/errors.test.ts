import { describe, expect, it } from "vitest";
import { brandTorError, isTorError, TorError, toTorError } from "../../src/base/errors.ts";

describe("TorError", () => {
  it("carries kind, code, cause and time of retry", () => {
    const cause = new Error("below");
    const error = new TorError("limit", "ALLIUM_E_TEST", "too much", { cause, retryAfter: 5 });
    expect(error).toBeInstanceOf(Error);
    expect({ ...error, name: error.name, message: error.message, cause: error.cause }).toEqual({
      kind: "limit",
      code: "ALLIUM_E_TEST",
      retryAfter: 5,
      name: "TorError",
      message: "too much",
      cause,
    });
    expect("cause" in new TorError("limit", "ALLIUM_E_TEST", "")).toBe(false);
  });

  it("is recognised by its brand, in another copy of Allium and in another class too", () => {
    const other = Object.assign(new TypeError("x"), { kind: "limit", code: "ALLIUM_E_TEST" });
    expect(isTorError(other)).toBe(false);
    brandTorError(other);
    expect(isTorError(other)).toBe(true);
    expect(Object.keys(other)).not.toContain("allium.TorError");
    const foreign = { [Symbol.for("allium.TorError")]: true };
    expect(isTorError(foreign)).toBe(true);
    for (const value of [undefined, null, 1, "x", {}, new Error("x")]) expect(isTorError(value)).toBe(false);
  });
});

describe("toTorError", () => {
  it("keeps a TorError as it is", () => {
    const error = new TorError("limit", "ALLIUM_E_TEST", "");
    expect(toTorError(error)).toBe(error);
  });

  it("makes of an AbortError an aborted one, whatever the fallback", () => {
    const reason = new DOMException("stop", "AbortError");
    const fallback = () => new TorError("limit", "ALLIUM_E_TEST", "");
    expect(toTorError(reason, fallback)).toMatchObject({ kind: "aborted", cause: reason });
  });

  it("makes of anything else the fallback, or an internal error with its cause", () => {
    const error = new Error("odd");
    expect(
      toTorError(error, (cause) => new TorError("offline", "ALLIUM_E_TEST", "", { cause })),
    ).toMatchObject({
      kind: "offline",
      cause: error,
    });
    expect(toTorError(error)).toMatchObject({ kind: "internal", cause: error });
    expect(toTorError("text").message).toContain("text");
  });
});
