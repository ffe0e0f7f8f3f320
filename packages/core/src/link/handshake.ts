// The link handshake of an initiator that stays anonymous (tor-spec 4): VERSIONS, then the relay's CERTS, AUTH_CHALLENGE and
// NETINFO in this order with nothing but VPADDING between, then our NETINFO. Anything else closes the link.

import type { ByteStream } from "../base/byte-stream.ts";
import { Reader, Writer } from "../base/bytes.ts";
import { TorError } from "../base/errors.ts";
import type { Clock } from "../base/ports.ts";
import type { ChannelTarget } from "./api.ts";
import { CellDecoder, encodeVariableCell, FIXED_CELL_LENGTH, writeFixedCell } from "./cell-codec.ts";
import { type CertsLifetime, verifyCerts } from "./certs/certs-cell.ts";
import { type Cell, COMMAND } from "./commands.ts";
import { certViolation, linkViolation } from "./errors.ts";
import { encodeNetinfo, parseNetinfo } from "./netinfo.ts";

/** Link protocols that we speak; 4 brought 4-byte circuit ids, 5 link padding. */
const VERSIONS = [4, 5];
/** CERTS is some 3 KiB; a relay that pads more than this before NETINFO is up to something. */
const MAX_HANDSHAKE_BYTES = 128 * 1024;
/** A certificate that is off by less is off by our clock's or the relay's ordinary error. */
const SKEW_THAT_EXPLAINS = 60_000;

export interface LinkHandshake {
  readonly linkProtocol: number;
  /** Relay's clock minus ours, in milliseconds, to about a second. */
  readonly clockSkew: number;
  /** Holds whatever the relay sent behind NETINFO. */
  readonly decoder: CellDecoder;
}

/** Reads the handshake's cells one by one, within its bounds. */
class CellSource {
  readonly decoder = new CellDecoder();
  readonly #stream: ByteStream;
  #received = 0;

  constructor(stream: ByteStream) {
    this.#stream = stream;
  }

  /** The next cell other than VPADDING; it must be `command` on circuit 0. */
  async expect(command: number, name: string): Promise<Uint8Array> {
    for (;;) {
      const cell = await this.#next();
      if (cell.circuitId !== 0)
        throw linkViolation(`a cell for circuit ${cell.circuitId} during the handshake`);
      if (cell.command === command) return cell.body;
      if (cell.command !== COMMAND.vpadding || command === COMMAND.versions) {
        throw linkViolation(`command ${cell.command} where ${name} belongs`);
      }
    }
  }

  async #next(): Promise<Cell> {
    for (;;) {
      const cell = this.decoder.next();
      if (cell !== undefined) return cell;
      const chunk = await this.#stream.read();
      if (chunk === undefined) throw linkViolation("the relay closed the link during the handshake");
      this.#received += chunk.length;
      if (this.#received > MAX_HANDSHAKE_BYTES) throw linkViolation("more bytes than a handshake has");
      this.decoder.append(chunk);
    }
  }
}

/**
 * Runs the handshake over an open TLS session.
 * @param tlsLeaf the relay's TLS certificate in DER
 * @throws TorError `protocol-violation`, `relay-identity-mismatch`, `clock-skew`, or what the stream fails with
 */
export async function shakeHands(
  stream: ByteStream,
  tlsLeaf: Uint8Array,
  target: ChannelTarget,
  clock: Clock,
): Promise<LinkHandshake> {
  const source = new CellSource(stream);
  const offer = new Writer(8);
  for (const version of VERSIONS) offer.u16(version);
  await stream.write(encodeVariableCell(2, COMMAND.versions, offer.finish()));
  const linkProtocol = chooseVersion(await source.expect(COMMAND.versions, "VERSIONS"));
  source.decoder.circuitIdLength = 4;

  const lifetime = verifyCerts(await source.expect(COMMAND.certs, "CERTS"), tlsLeaf, target);
  checkAuthChallenge(await source.expect(COMMAND.authChallenge, "AUTH_CHALLENGE"));
  const relayClock = parseNetinfo(await source.expect(COMMAND.netinfo, "NETINFO"));
  const clockSkew = relayClock - clock.now();
  checkLifetime(lifetime, clock.now(), clockSkew);

  const [address] = target.addresses;
  if (address === undefined) throw linkViolation("a relay without an address");
  const netinfo = new Uint8Array(FIXED_CELL_LENGTH);
  writeFixedCell(netinfo, 0, 0, COMMAND.netinfo, encodeNetinfo(address));
  await stream.write(netinfo);
  return { linkProtocol, clockSkew, decoder: source.decoder };
}

function chooseVersion(body: Uint8Array): number {
  const reader = new Reader(body, (message) => linkViolation(`malformed VERSIONS: ${message}`));
  let best = 0;
  while (reader.remaining > 0) {
    const version = reader.u16();
    if (VERSIONS.includes(version) && version > best) best = version;
  }
  if (best === 0) throw linkViolation("the relay speaks no link protocol that we do");
  return best;
}

/** We do not authenticate, so the challenge is only held to its form (tor-spec 4.3). */
function checkAuthChallenge(body: Uint8Array): void {
  const reader = new Reader(body, (message) => linkViolation(`malformed AUTH_CHALLENGE: ${message}`));
  reader.take(32);
  reader.take(2 * reader.u16());
}

function checkLifetime(lifetime: CertsLifetime, now: number, clockSkew: number): void {
  const holds = (time: number) => lifetime.notBefore <= time && time < lifetime.notAfter;
  if (holds(now)) return;
  if (Math.abs(clockSkew) > SKEW_THAT_EXPLAINS && holds(now + clockSkew)) {
    const minutes = Math.round(clockSkew / 60_000);
    const message = `the relay's certificates hold by its clock but not by ours, which differs by ${minutes} minutes`;
    throw new TorError("clock-skew", "ALLIUM_E_CLOCK_SKEW", message);
  }
  throw certViolation(now < lifetime.notBefore ? "not valid yet" : "expired");
}
