// What `roots.bin` holds: date, source and anchors, for whoever shows or checks them. An entry of its own; verifying needs
// only the file's bytes (tls/x509/trust.ts).

export type { RootList, TrustAnchor } from "../tls/x509/anchors.ts";
export { loadRoots } from "../tls/x509/anchors.ts";

/** Where `roots.bin` is, for programs and bundlers that follow `new URL(…, import.meta.url)`. */
export const rootsUrl: URL = new URL("../../data/roots.bin", import.meta.url);
