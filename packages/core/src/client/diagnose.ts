// Finds the layer that fails between this client and a site: each layer is tried in its turn, and an error is ascribed to the
// lowest one that can be at fault.

import { withTimeout } from "../base/abort.ts";
import { toHex } from "../base/encoding.ts";
import { isTorError, TorError, type TorErrorKind, toTorError } from "../base/errors.ts";
import type { Clock } from "../base/ports.ts";
import { randomBytes } from "../base/random.ts";
import { checkDestination, parseUrl } from "../net/fetch-request.ts";
import type { TorSocket } from "../net/socket-api.ts";
import type { Phase } from "./status.ts";

/** From this device outwards. `tls` is the link's; a site's own TLS belongs to the site. */
export const LAYERS = [
  ...(["storage", "bridge", "tls", "link", "consensus", "circuit", "stream", "site"] as const),
] as const;
export type Layer = (typeof LAYERS)[number];

/** How `diagnose` looks. */
export interface DiagnoseOptions {
  /** A site to reach, `http:` or `https:`; without one the streams and sites are not tried. */
  readonly url?: string | URL;
  /** Milliseconds for all of it; 120,000 unless told otherwise. */
  readonly timeout?: number;
  readonly signal?: AbortSignal;
}

export interface DiagnosisStep {
  readonly layer: Layer;
  readonly outcome: "good" | "failed" | "untried";
  /** Milliseconds until it was known that this layer works, those before it included. */
  readonly ms?: number;
}

/** What was found. */
export interface Diagnosis {
  /** Whether all that was tried works. */
  readonly good: boolean;
  /** The layer that fails. */
  readonly layer?: Layer;
  /** Why. */
  readonly error?: { readonly kind: TorErrorKind; readonly code: string; readonly message: string };
  readonly steps: readonly DiagnosisStep[];
}

/** What a diagnosis needs of a client. */
export interface Patient {
  readonly status: { readonly phase: Phase };
  ready(options: { readonly signal: AbortSignal }): Promise<void>;
  isolate(key: string): {
    connect(
      address: { hostname: string; port: number },
      options: { readonly signal: AbortSignal },
    ): Pick<TorSocket, "opened" | "close">;
    fetch(url: URL, init: RequestInit): Promise<Response>;
  };
}

const TIMEOUT = 120_000;

/** @throws TorError `aborted` and `bad-api-usage` alone; all else is its result */
export async function diagnose(
  client: Patient,
  clock: Clock,
  { url, timeout: ms = TIMEOUT, signal }: DiagnoseOptions,
): Promise<Diagnosis> {
  const site = url === undefined ? undefined : siteOf(String(url));
  const begun = clock.monotonic();
  const times = new Map<Layer, number>();
  const reached = (layer: Layer) => times.set(layer, Math.round(clock.monotonic() - begun));
  const error = () => new TorError("offline", "ALLIUM_E_DIAGNOSIS_TIMEOUT", `no answer in ${ms} ms`);
  try {
    await withTimeout({ clock, ms, signal, error }, (within) => tryAll(client, site, reached, within));
    return report(undefined, times, site);
  } catch (thrown) {
    const failure = toTorError(thrown);
    if (signal?.aborted || failure.kind === "bad-api-usage") throw thrown;
    return report(failure, times, site, failingLayer(failure, times, client.status.phase));
  }
}

/** What fetch would refuse is not connected to either. */
function siteOf(text: string): URL {
  const site = parseUrl(text);
  checkDestination(site);
  return site;
}

async function tryAll(
  client: Patient,
  site: URL | undefined,
  reached: (layer: Layer) => void,
  signal: AbortSignal,
): Promise<void> {
  await client.ready({ signal });
  reached("circuit");
  if (site === undefined) return;
  const view = client.isolate(`diagnosis ${toHex(randomBytes(16))}`);
  const port = Number(site.port) || (site.protocol === "https:" ? 443 : 80);
  const socket = view.connect({ hostname: site.hostname, port }, { signal });
  await socket.opened;
  reached("stream");
  await socket.close();
  const response = await view.fetch(site, { signal, redirect: "manual" });
  await response.body?.cancel();
  reached("site");
}

function report(
  failure: TorError | undefined,
  times: Map<Layer, number>,
  site: unknown,
  layer?: Layer,
): Diagnosis {
  const last = site === undefined ? "circuit" : "site";
  const failed = layer === undefined ? LAYERS.indexOf(last) + 1 : LAYERS.indexOf(layer);
  const steps = LAYERS.map((name, at): DiagnosisStep => {
    const ms = times.get(name);
    const outcome = at < failed ? "good" : at === failed && failure ? "failed" : "untried";
    return { layer: name, outcome, ...(outcome === "good" && ms !== undefined && { ms }) };
  });
  if (failure === undefined || layer === undefined) return { good: true, steps };
  const { kind, code, message } = failure;
  return { good: false, layer, error: { kind, code, message }, steps };
}

/** By what the error says; where that could be anywhere, by how far the client came. */
function failingLayer(error: TorError, times: ReadonlyMap<Layer, number>, phase: Phase): Layer {
  const known = layerOf(error);
  if (known !== undefined) return known;
  if (times.has("stream")) return "site";
  if (times.has("circuit")) return "stream";
  return LAYER_OF_PHASE[phase];
}

const LAYER_OF_PHASE: Readonly<Record<Phase, Layer>> = {
  bridge: "bridge",
  link: "link",
  consensus: "consensus",
  certificates: "consensus",
  microdescriptors: "consensus",
  circuit: "circuit",
  ready: "circuit",
};

const LAYER_OF_KIND: Partial<Record<TorErrorKind, Layer>> = {
  "storage-denied": "storage",
  "bridge-unreachable": "bridge",
  "bridge-refused": "bridge",
  "relay-identity-mismatch": "link",
  "clock-skew": "consensus",
  "directory-expired": "consensus",
  "consensus-unverified": "consensus",
  "no-path": "circuit",
  "exit-policy": "stream",
  "exit-timeout": "stream",
  "remote-refused": "site",
  "remote-host-not-found": "site",
  "remote-tls": "site",
};

const LAYER_OF_CODE: readonly (readonly [RegExp, Layer])[] = [
  [/^ALLIUM_E_TLS_/, "tls"],
  [/^ALLIUM_E_(?:LINK|CERT)_/, "link"],
  [/^ALLIUM_E_OBSOLETE$/, "consensus"],
  [/^ALLIUM_E_HTTP_/, "site"],
];

/** What a circuit broke of lies beneath it. */
function layerOf(error: TorError): Layer | undefined {
  const byKind = LAYER_OF_KIND[error.kind];
  if (byKind !== undefined) return byKind;
  const byCode = LAYER_OF_CODE.find(([code]) => code.test(error.code))?.[1];
  const beneath =
    error.kind === "circuit-collapse" && isTorError(error.cause) ? layerOf(error.cause) : undefined;
  return beneath ?? byCode;
}
