// Cell commands (tor-spec 3) and the shape of a cell.

export const COMMAND = {
  padding: 0,
  relay: 3,
  destroy: 4,
  createFast: 5,
  createdFast: 6,
  versions: 7,
  netinfo: 8,
  relayEarly: 9,
  create2: 10,
  created2: 11,
  vpadding: 128,
  certs: 129,
  authChallenge: 130,
} as const;

/** A cell as it stands on the link; `body` is 509 bytes for fixed commands. */
export interface Cell {
  readonly circuitId: number;
  readonly command: number;
  readonly body: Uint8Array;
}

/** VERSIONS and commands of 128 and above carry their length (tor-spec 3). */
export function isVariableLength(command: number): boolean {
  return command === COMMAND.versions || command >= 128;
}
