// What a TLS connection to a web server is told and tells; links to relays use a part of it (RFC 8446, RFC 5246).

/** Whether a server's chain proves who the server is. @throws TorError `remote-tls` that says why not */
export type VerifyChain = (chain: readonly Uint8Array[]) => Promise<void>;

/** Versions that are offered: relays have 1.3, web servers sometimes only 1.2. */
export type TlsVersions = "1.3" | "1.2 and 1.3";
