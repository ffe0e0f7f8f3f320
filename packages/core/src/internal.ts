// For Allium's own packages only: no promise is made about what is exported here.

export type { Deferred } from "./base/abort.ts";
export { abortable, deferred, throwIfAborted, withTimeout } from "./base/abort.ts";
export { concat } from "./base/bytes.ts";
export { toTorError } from "./base/errors.ts";
export type { WatchOptions } from "./client/watch-consensus.ts";
export { watchConsensus } from "./client/watch-consensus.ts";
export type { NetDir } from "./directory/api.ts";
