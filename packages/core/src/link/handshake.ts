// The link handshake of an initiator that stays anonymous (tor-spec 4): VERSIONS, then the relay's CERTS, AUTH_CHALLENGE and
// NETINFO in this order with nothing but VPADDING between, then our NETINFO. Anything else closes the link.

import type { ByteStream } from "../base/byte-stream.ts";
import { Reader, Writer } from "../base/bytes.ts";
import { badApiUsage } from "../base/errors.ts";
import type { Clock } from "../base/ports.ts";
import type { ChannelTarget } from "./api.ts";
import { CellDecoder, encodeVariableCell, FIXED_CELL_LENGTH, writeFixedCell } from "./cell-codec.ts";
import { verifyCerts } from "./certs/certs-cell.ts";
import { checkLifetimes } from "./certs/timeliness.ts";
import { COMMAND } from "./commands.ts";
import { linkClosed, linkViolation } from "./errors.ts";
import { encodeNetinfo, estimateClockSkew, parseNetinfo } from "./netinfo.ts";

/** Link protocols that we speak; 4 brought 4-byte circuit ids, 5 link padding (tor-spec 4.1). */
const VERSIONS: readonly number[] = [4, 5];
/** The relay's cells are some 3 KiB in all; who pads more than this before NETINFO is up to something. */
const MAX_HANDSHAKE_BYTES = 128 * 1024;

export interface LinkHandshake {
  readonly linkProtocol: number;
  /** Relay's clock minus ours, in milliseconds, as far as it is certain. */
  readonly clockSkew: number;
  /** Holds whatever the relay sent behind NETINFO. */
  readonly decoder: CellDecoder;
}

/**
 * Runs the handshake over an open TLS session. It ends when the stream does: time limits are the caller's.
 * @param tlsLeaf the relay's TLS certificate in DER
 * @throws TorError `protocol-violation`, `relay-identity-mismatch`, `clock-skew`, or what the stream fails with
 */
export async function shakeHands(
  stream: ByteStream,
  tlsLeaf: Uint8Array,
  target: ChannelTarget,
  clock: Clock,
): Promise<LinkHandshake> {
  const [address] = target.addresses;
  if (address === undefined) throw badApiUsage("ALLIUM_E_BAD_ADDRESS", "the relay has no address");
  const source = new CellSource(stream);
  const sentAt = clock.monotonic();
  await stream.write(encodeVersions());
  const linkProtocol = chooseVersion(await source.expect(COMMAND.versions, "VERSIONS"));
  source.decoder.circuitIdLength = 4;

  const lifetimes = verifyCerts(await source.expect(COMMAND.certs, "CERTS"), tlsLeaf, target);
  checkAuthChallenge(await source.expect(COMMAND.authChallenge, "AUTH_CHALLENGE"));
  const relayClock = parseNetinfo(await source.expect(COMMAND.netinfo, "NETINFO"));
  const now = clock.now();
  const clockSkew = estimateClockSkew(relayClock, now - (clock.monotonic() - sentAt), now);
  checkLifetimes(lifetimes, now, clockSkew);

  const netinfo = new Uint8Array(FIXED_CELL_LENGTH);
  writeFixedCell(netinfo, 0, 0, COMMAND.netinfo, encodeNetinfo(address));
  await stream.write(netinfo);
  return { linkProtocol, clockSkew, decoder: source.decoder };
}

/** Reads the handshake's cells one by one, within its bounds. */
class CellSource {
  readonly decoder = new CellDecoder();
  readonly #stream: ByteStream;
  #received = 0;

  constructor(stream: ByteStream) {
    this.#stream = stream;
  }

  /** The body of the next cell that counts, which must be `command` on circuit 0. */
  async expect(command: number, name: string): Promise<Uint8Array> {
    this.decoder.check = (found) => {
      if (found !== command && !this.#ignored(found)) {
        throw linkViolation("ORDER", `command ${found} where ${name} belongs`);
      }
    };
    const { decoder } = this;
    for (;;) {
      await this.#next();
      if (decoder.circuitId !== 0) {
        const found = `a cell for circuit ${decoder.circuitId}`;
        throw linkViolation("CIRCUIT_ID", `${name} is awaited and ${found} came`);
      }
      if (decoder.command === command) return decoder.body();
    }
  }

  /** VPADDING may come at any time, and VERSIONS after the first must be ignored (tor-spec 4.1). */
  #ignored(command: number): boolean {
    return command === COMMAND.vpadding || command === COMMAND.versions;
  }

  /** Moves the decoder on to the next cell. */
  async #next(): Promise<void> {
    while (!this.decoder.next()) {
      const chunk = await this.#stream.read();
      if (chunk === undefined) throw linkClosed("the relay closed the link during the handshake");
      this.#received += chunk.length;
      if (this.#received > MAX_HANDSHAKE_BYTES) {
        throw linkViolation("HANDSHAKE_LENGTH", "more bytes than a handshake has");
      }
      this.decoder.append(chunk);
    }
  }
}

function encodeVersions(): Uint8Array {
  const body = new Writer(2 * VERSIONS.length);
  for (const version of VERSIONS) body.u16(version);
  return encodeVariableCell(2, COMMAND.versions, body.finish());
}

/** The highest version that both sides have (tor-spec 4.1). */
function chooseVersion(body: Uint8Array): number {
  const reader = new Reader(body, (message) => linkViolation("VERSIONS", `malformed VERSIONS: ${message}`));
  let best = 0;
  while (reader.remaining > 0) {
    const version = reader.u16();
    if (VERSIONS.includes(version) && version > best) best = version;
  }
  if (best === 0) throw linkViolation("NO_COMMON_VERSION", "the relay speaks no link protocol that we do");
  return best;
}

/** We do not authenticate, so the challenge is only held to its form (tor-spec 4.3). Bytes behind it are ignored. */
function checkAuthChallenge(body: Uint8Array): void {
  const malformed = (message: string) =>
    linkViolation("AUTH_CHALLENGE", `malformed AUTH_CHALLENGE: ${message}`);
  const reader = new Reader(body, malformed);
  reader.take(32);
  reader.take(2 * reader.u16());
}
