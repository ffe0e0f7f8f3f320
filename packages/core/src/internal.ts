// For Allium's own packages only: no promise is made about what is exported here.

export { toTorError } from "./base/errors.ts";
export type { WatchOptions } from "./client/watch-consensus.ts";
export { watchConsensus } from "./client/watch-consensus.ts";
export type { NetDir } from "./directory/api.ts";
