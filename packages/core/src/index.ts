// The public entry of @allium/core: the client, its options and answers, errors, and the ports.

export type { RelayAddress } from "./base/address.ts";
export { formatIp, formatSocketAddress, isInternalIp, parseIp, parseSocketAddress } from "./base/address.ts";
export type { RetryPolicy } from "./base/backoff.ts";
export { defaultRetryPolicy, retryPresets } from "./base/backoff.ts";
export { systemClock } from "./base/clock.ts";
export type { TorErrorCode, TorErrorKind, TorErrorOptions } from "./base/errors.ts";
export { isTorError, TorError } from "./base/errors.ts";
export type { DetailEvent } from "./base/events.ts";
export { memoryStore } from "./base/memory-store.ts";
export type {
  Ciphers,
  Clock,
  CtrCipher,
  Dialer,
  DialOptions,
  Duplex,
  GcmCipher,
  Log,
  LogEvent,
  LogLevel,
  Store,
  Timer,
} from "./base/ports.ts";
export type { ResolvedAddress, Traffic } from "./circuit/api.ts";
export type {
  ResolveOptions,
  SocketAddress,
  TorClientEvents,
  TorClientLike,
  TorViewLike,
} from "./client/api.ts";
export type { CheckOptions, CheckResult } from "./client/check.ts";
export type { DiagnoseOptions, Diagnosis, DiagnosisStep, Layer } from "./client/diagnose.ts";
export type { GuardRecord, GuardState, Guards } from "./client/guards.ts";
export type { LinkStep } from "./client/link-outcome.ts";
export type { Metric, MetricName } from "./client/metrics.ts";
export type { CircuitSettings, PathOptions, StreamSettings, TorClientOptions } from "./client/options.ts";
export type { RelayHealth } from "./client/relay-health.ts";
export type { ClientStats } from "./client/stats.ts";
export type { ClientStatus, Phase } from "./client/status.ts";
export type { StreamInfo } from "./client/stream-opener.ts";
export { TorClient } from "./client/tor-client.ts";
export type { TorView } from "./client/view.ts";
export type { NetworkConfig, SnapshotName, SnapshotSource } from "./directory/api.ts";
export { parseNetworkConfig } from "./directory/network-config.ts";
export { publicNetwork } from "./directory/public-network.ts";
export type { TorFetchInit } from "./net/fetch.ts";
export { TorFetchError } from "./net/fetch-error.ts";
export type { FetchProgress } from "./net/progress.ts";
export type { TorSocket, TorSocketInfo, TorSocketOptions } from "./net/socket.ts";
export type {
  TorWebSocket,
  TorWebSocketConstructor,
  TorWebSocketErrorEvent,
  TorWebSocketOptions,
} from "./net/websocket/api.ts";
export type { BridgeSuspicion, BridgeUse } from "./path/bridge-watch.ts";
export type { ExitCountryOptions, GeoData } from "./path/geo.ts";
export type { GuardEvent } from "./path/guards/sample.ts";
export type { CircuitInfo, CircuitPurpose, HopInfo } from "./path/registry.ts";
export type { TrustOptions } from "./tls/x509/trust.ts";
