// For Allium's own packages only: no promise is made about what is exported here.

export type { Deferred } from "./base/abort.ts";
export { abortable, deferred, onAbort, settledWithin, throwIfAborted, withTimeout } from "./base/abort.ts";
export type { ByteStream } from "./base/byte-stream.ts";
export { concat } from "./base/bytes.ts";
export { toHex } from "./base/encoding.ts";
export { abortedError, badApiUsage, protocolViolation, toTorError } from "./base/errors.ts";
export { TypedEventTarget } from "./base/events.ts";
export { randomBytes } from "./base/random.ts";
export { nestedKeys } from "./client/view.ts";
export type { WatchOptions } from "./client/watch-consensus.ts";
export { watchConsensus } from "./client/watch-consensus.ts";
export type { NetDir } from "./directory/api.ts";
export type { DirectorySnapshot } from "./directory/snapshot.ts";
export { readSnapshot } from "./directory/snapshot.ts";
export { signalOf } from "./net/fetch.ts";
export { fetchRejection } from "./net/fetch-error.ts";
export { prepareRequest } from "./net/fetch-request.ts";
export { describeResponse } from "./net/fetch-response.ts";
export { parseDestination } from "./net/host.ts";
export { ownBuffer } from "./net/own-buffer.ts";
export { announcedLength, told } from "./net/progress.ts";
export { socketDestination } from "./net/socket.ts";
export { bytesOf } from "./net/socket-streams.ts";
export { makeWebSocket } from "./net/websocket/websocket.ts";
