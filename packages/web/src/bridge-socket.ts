// One WebSocket to one bridge, from the constructor to its open event.

import { systemClock, TorError } from "@allium/core";
import { deferred, withTimeout } from "@allium/core/internal";
import { SUBPROTOCOL } from "./wire.ts";

/** Milliseconds for TCP, TLS and the upgrade. */
const OPEN_TIMEOUT = 15_000;

function unreachable(message: string, cause?: unknown): TorError {
  return new TorError("bridge-unreachable", "ALLIUM_E_BRIDGE_UNREACHABLE", message, { cause });
}

/** The error when the platform knows that there is no network. */
function offlineError(): TorError | undefined {
  if (globalThis.navigator?.onLine !== false) return undefined;
  return new TorError("offline", "ALLIUM_E_OFFLINE", "this device is not connected to a network");
}

/** @throws TorError `bridge-unreachable`, `offline` or `aborted` */
export async function openBridgeSocket(
  url: string,
  protocols: readonly string[],
  signal: AbortSignal | undefined,
): Promise<WebSocket> {
  const offline = offlineError();
  if (offline !== undefined) throw offline;
  const socket = makeSocket(url, protocols);
  socket.binaryType = "arraybuffer";
  const opened = deferred();
  const listening = new AbortController();
  const options = { signal: listening.signal };
  socket.addEventListener("open", () => opened.resolve(), options);
  socket.addEventListener("error", () => opened.reject(refusedUpgrade()), options);
  socket.addEventListener("close", () => opened.reject(refusedUpgrade()), options);
  try {
    const error = () => unreachable(`the bridge did not answer within ${OPEN_TIMEOUT} ms`);
    await withTimeout({ clock: systemClock, ms: OPEN_TIMEOUT, signal, error }, () => opened.promise);
    if (socket.protocol !== SUBPROTOCOL) throw unreachable("what answered is not a bridge of this protocol");
    return socket;
  } catch (error) {
    // Its close event may still come; nobody listens then.
    socket.close();
    throw error;
  } finally {
    listening.abort();
  }
}

/** A page is not told why: no network, no server, a bad certificate, or a refusal before the upgrade look the same. */
function refusedUpgrade(): TorError {
  return (
    offlineError() ??
    unreachable("the bridge cannot be reached, or refused the connection before it was open")
  );
}

function makeSocket(url: string, protocols: readonly string[]): WebSocket {
  try {
    return new WebSocket(url, [...protocols]);
  } catch (cause) {
    // An https: page may not use ws:, and a Content-Security-Policy may forbid the bridge.
    throw unreachable("this page is not allowed to connect to the bridge", cause);
  }
}
