// The public Tor network: whom to believe and where to begin.
// Authorities: C tor 0.4.9 src/app/config/auth_dirs.inc of 16 December 2025 (Serge, a bridge authority, signs no consensus).

import { formatSocketAddress } from "../base/address.ts";
import { Reader } from "../base/bytes.ts";
import { fromBase64, toBase64Unpadded, toHex } from "../base/encoding.ts";
import type { NetworkConfig } from "./api.ts";
import { FALLBACK_LENGTH, packedFallbacks } from "./public-fallbacks.ts";

/** The public Tor network. */
export const publicNetwork: NetworkConfig = {
  authorities: [
    { nickname: "moria1", v3ident: "F533C81CEF0BC0267857C99B2F471ADF249FA232" },
    { nickname: "tor26", v3ident: "2F3DF9CA0E5D36F2685A2DA67184EB8DCB8CBA8C" },
    { nickname: "dizum", v3ident: "E8A9C45EDE6D711294FADF8E7951F4DE6CA56B58" },
    { nickname: "gabelmoo", v3ident: "ED03BB616EB2F60BEC80151114BB25CEF515B226" },
    { nickname: "dannenberg", v3ident: "0232AF901C31A04EE9848595AF9BB7620D4C5B2E" },
    { nickname: "maatuska", v3ident: "49015F787433103580E3B66A1707A00E60F2D15B" },
    { nickname: "longclaw", v3ident: "23D15D965BC35114467363C165C4F724B64B4F66" },
    { nickname: "bastet", v3ident: "27102BC123E7AF1D4741AE047E160C91ADC76B21" },
    { nickname: "faravahar", v3ident: "70849B868D606BAECFB6128C5E3D782029AA394F" },
  ],
  // Built when asked for, so that a page on another network never does.
  get fallbacks() {
    const packed = fromBase64(packedFallbacks);
    return Array.from({ length: packed.length / FALLBACK_LENGTH }, (_, i) =>
      unpackFallback(packed.subarray(i * FALLBACK_LENGTH, (i + 1) * FALLBACK_LENGTH)),
    );
  },
};

function unpackFallback(bytes: Uint8Array): NetworkConfig["fallbacks"][number] {
  const reader = new Reader(bytes);
  return {
    rsaId: toHex(reader.take(20)).toUpperCase(),
    ed25519Id: toBase64Unpadded(reader.take(32)),
    orPorts: [formatSocketAddress({ family: 4, address: reader.take(4), port: reader.u16() })],
  };
}
