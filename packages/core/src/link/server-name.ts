// The random server name of a link's TLS handshake, of the shape that C tor's clients send: "www.", 4 to 25 characters of
// base32's alphabet, ".com". Each length and each character is equally likely.

import { randomInt } from "../base/random.ts";

const ALPHABET = "abcdefghijklmnopqrstuvwxyz234567";
const MIN_LENGTH = 4;
const MAX_LENGTH = 25;

export function randomServerName(): string {
  const length = MIN_LENGTH + randomInt(MAX_LENGTH - MIN_LENGTH + 1);
  let name = "www.";
  for (let i = 0; i < length; i++) name += ALPHABET[randomInt(ALPHABET.length)];
  return `${name}.com`;
}
