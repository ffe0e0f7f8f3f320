// Ways to set the client under test; suites that compare them say which they start.

import type { ClientOptions } from "./protocol.ts";

export interface Variant {
  /** What stands behind the contender's name, such as ", no optimistic data". */
  readonly name: string;
  readonly options: ClientOptions;
}

/** The client as it comes. */
export const USUAL: Variant = { name: "", options: {} };

/** Requests wait for the exit's CONNECTED. */
export const PATIENT: Variant = {
  name: ", no optimistic data",
  options: { streams: { optimisticData: false } },
};
