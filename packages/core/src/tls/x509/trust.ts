// Whom TLS to web servers trusts: Mozilla's roots from `roots.bin`, read at first use; roots of one's own; and pins, which
// narrow that down for a host (RFC 7469 2.4 has the same fingerprints). Not here: how a chain is verified (server.ts).

import { withTimeout } from "../../base/abort.ts";
import { equalBytes } from "../../base/bytes.ts";
import { fromBase64 } from "../../base/encoding.ts";
import { badApiUsage, TorError, toTorError } from "../../base/errors.ts";
import type { Clock } from "../../base/ports.ts";
import { sha256 } from "../../crypto/hash.ts";
import type { VerifyChain } from "../api.ts";
import { loadRoots, type RootList, type TrustAnchor } from "./anchors.ts";
import { parseCertificate } from "./certificate.ts";
import { certificateError } from "./errors.ts";
import { verifyServer } from "./server.ts";
import { readUsage } from "./usage.ts";

export interface TrustOptions {
  /** Brings the contents of `roots.bin`. Asked at first use, and again after it failed or took longer than 30 s. */
  readonly roots?: (() => Promise<Uint8Array>) | undefined;
  /** Certificates of CAs to be trusted besides: PEM text, which may hold several, or DER. How long they hold plays no part. */
  readonly extraAnchors?: readonly (string | Uint8Array)[] | undefined;
  /**
   * By host as a URL has it (lower-case ASCII; IPv6 without brackets), or `*.example.com` for all names below one: SHA-256
   * of SubjectPublicKeyInfos in base64, of which one must be in the verified path. The nearest entry counts.
   */
  readonly pins?: Readonly<Record<string, readonly string[]>> | undefined;
}

const LOAD_TIMEOUT = 30_000;

const NAME_CONSTRAINTS = "2.5.29.30";

function badTrust(message: string): TorError {
  return badApiUsage("ALLIUM_E_BAD_TRUST", message);
}

export class TrustStore {
  readonly #load: (() => Promise<Uint8Array>) | undefined;
  readonly #own: readonly TrustAnchor[];
  readonly #pins: ReadonlyMap<string, readonly Uint8Array[]>;
  #roots: Promise<RootList> | undefined;

  /** @throws TorError `bad-api-usage` (`ALLIUM_E_BAD_TRUST`) when a certificate or a pin is malformed */
  constructor({ roots, extraAnchors = [], pins = {} }: TrustOptions) {
    this.#load = roots;
    this.#own = extraAnchors
      .flatMap((source) => ofCaller("an extra anchor", () => readCertificates(source)))
      .map(toAnchor);
    this.#pins = new Map(Object.entries(pins).map(([host, list]) => [host, readPins(host, list)]));
  }

  /**
   * What proves that a server is `hostname` (lower-case ASCII or an IP literal, as in a URL).
   * It throws TorError `remote-tls` (`ALLIUM_E_CERT_…`), or `bad-api-usage` when there are no roots (`ALLIUM_E_NO_ROOTS`).
   */
  verifier(hostname: string, clock: Clock): VerifyChain {
    return async (chain) => {
      const list = await this.#list(clock);
      const now = clock.now();
      const judge = (spkis: readonly Uint8Array[]) => this.#checkPins(hostname, spkis);
      try {
        await verifyServer(chain, hostname, { anchors: [...list.anchors, ...this.#own], now, judge });
      } catch (error) {
        throw explainClock(toTorError(error), list.date, now);
      }
    };
  }

  async #list(clock: Clock): Promise<{ anchors: readonly TrustAnchor[]; date: string }> {
    const load = this.#load;
    if (load === undefined) {
      if (this.#own.length > 0) return { anchors: [], date: "" };
      throw badApiUsage("ALLIUM_E_NO_ROOTS", "HTTPS needs root certificates, and none were given");
    }
    const error = () => new TorError("remote-tls", "ALLIUM_E_ROOTS_LOAD", "the roots did not come in 30 s");
    this.#roots ??= withTimeout({ clock, ms: LOAD_TIMEOUT, error }, load).then(loadRoots);
    const loading = this.#roots;
    try {
      return await loading;
    } catch (cause) {
      // The next one tries again.
      if (this.#roots === loading) this.#roots = undefined;
      throw toTorError(
        cause,
        () => new TorError("remote-tls", "ALLIUM_E_ROOTS_LOAD", "the roots cannot be loaded", { cause }),
      );
    }
  }

  #checkPins(hostname: string, spkis: readonly Uint8Array[]): void {
    const pins = this.#pinsOf(hostname.replace(/\.$/, ""));
    const isPinned = pins?.some((pin) => spkis.some((spki) => equalBytes(sha256(spki), pin))) ?? true;
    if (!isPinned) throw certificateError("PIN", `no key of the server's chain is pinned for ${hostname}`);
  }

  #pinsOf(host: string): readonly Uint8Array[] | undefined {
    let pins = this.#pins.get(host);
    for (let dot = host.indexOf("."); dot >= 0 && pins === undefined; dot = host.indexOf(".", dot + 1)) {
      pins = this.#pins.get(`*${host.slice(dot)}`);
    }
    return pins;
  }
}

/** A clock that is behind the day of the list is wrong, whatever else may be. */
function explainClock(error: TorError, date: string, now: number): TorError {
  if (!/_(EXPIRED|NOT_YET_VALID)$/.test(error.code) || !(now < Date.parse(date))) return error;
  const message = `the device's clock is wrong: it is behind the list of roots, which is of ${date}; ${error.message}`;
  return new TorError(error.kind, error.code, message, { cause: error });
}

/** The certificates in PEM text (RFC 7468), or the one in DER. */
function readCertificates(source: string | Uint8Array): Uint8Array[] {
  if (typeof source !== "string") return [source];
  const blocks = [
    ...source.matchAll(/-----BEGIN CERTIFICATE-----([A-Za-z0-9+/=\s]+)-----END CERTIFICATE-----/g),
  ];
  if (blocks.length === 0) throw badTrust("no certificate in PEM");
  return blocks.map(([, base64]) => fromBase64((base64 as string).replace(/\s/g, "")));
}

function toAnchor(der: Uint8Array): TrustAnchor {
  const certificate = ofCaller("an extra anchor", () => parseCertificate(der));
  const { version, subject, publicKey, extensions } = certificate;
  // Versions 1 and 2 cannot say what they are for; old roots of one's own are of these.
  if (version === 3 && !ofCaller("an extra anchor", () => readUsage(certificate)).isCa)
    throw badTrust("an extra anchor is not a CA");
  const nameConstraints = extensions.find(({ oid }) => oid === NAME_CONSTRAINTS)?.value;
  return { subject: subject.raw, spki: publicKey.spki, nameConstraints };
}

function readPins(host: string, list: readonly string[]): Uint8Array[] {
  const pins = ofCaller("a pin", () => list.map(fromBase64));
  if (!isHost(host.replace(/^\*\./, "")) || pins.length === 0 || pins.some((pin) => pin.length !== 32))
    throw badTrust(`the pins for ${JSON.stringify(host)} are not a host's SHA-256 in base64`);
  return pins;
}

/** Whether URLs give a host in this form, but for the last dot: pins under any other would bind nobody. */
function isHost(host: string): boolean {
  const inUrl = host.includes(":") ? `[${host}]` : host;
  const url = `https://${inUrl}/`;
  return !/\*|\.$/.test(host) && URL.canParse(url) && new URL(url).hostname === inUrl;
}

/** What a caller gave is the caller's to mend. */
function ofCaller<T>(what: string, read: () => T): T {
  try {
    return read();
  } catch (cause) {
    throw badTrust(`${what} is malformed: ${toTorError(cause).message}`);
  }
}
