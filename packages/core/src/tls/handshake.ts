// The client's side of a handshake, from ClientHello to Finished, in the version that the server chooses.

import { Dialogue } from "./dialogue.ts";
import { handshake12 } from "./handshake-12.ts";
import { handshake13 } from "./handshake-13.ts";
import type { HandshakeOptions, HandshakeResult } from "./handshake-api.ts";
import type { HandshakeChannel } from "./handshake-channel.ts";
import { receiveServerHello } from "./server-hello.ts";

/** Runs one handshake. The channel is the caller's: it sends the alert of a failure and destroys the keys. */
export async function runHandshake(
  channel: HandshakeChannel,
  options: HandshakeOptions,
): Promise<HandshakeResult> {
  const { offer } = options;
  // Outside of compatibility mode no change_cipher_spec is sent (RFC 8446 D.4).
  const dialogue = new Dialogue(channel, offer.sessionId.length > 0);
  await dialogue.send(offer.hello);
  const { version, hello } = await receiveServerHello(dialogue, offer);
  return version === "TLS 1.2"
    ? handshake12(dialogue, hello, options)
    : handshake13(dialogue, hello, options);
}
