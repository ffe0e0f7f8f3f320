/** Why a machine is not ready, in words for the person at it. */
export class SetupError extends Error {}
