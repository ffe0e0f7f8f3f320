// Cell commands (tor-spec 3), and how long variable cells may be.

/** Commands by name; those that only relays speak among each other are known so as to be refused. */
export const COMMAND = {
  padding: 0,
  create: 1,
  created: 2,
  relay: 3,
  destroy: 4,
  createFast: 5,
  createdFast: 6,
  versions: 7,
  netinfo: 8,
  relayEarly: 9,
  create2: 10,
  created2: 11,
  paddingNegotiate: 12,
  vpadding: 128,
  certs: 129,
  authChallenge: 130,
  authenticate: 131,
} as const;

/** VERSIONS and commands of 128 and above carry their length (tor-spec 3). */
export function isVariableLength(command: number): boolean {
  return command === COMMAND.versions || command >= 128;
}

/**
 * Bytes that a variable cell's body may have. The format allows 65535; what is read has the room it needs many times
 * over: 256 versions, and CERTS of 16 KiB where 2 KiB are usual. What is ignored may have all.
 */
export function maxBodyLength(command: number): number {
  switch (command) {
    case COMMAND.versions:
      return 512;
    case COMMAND.certs:
      return 16 * 1024;
    case COMMAND.authChallenge:
      return 1024;
    default:
      return 65_535;
  }
}
