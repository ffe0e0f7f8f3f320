// Which header fields go to a target, and which of its own come back to the page (Fetch 2.2.2). What a browser adds by itself
// tells visitors apart and does not leave; what makes a browser connect somewhere, store or report does not come in.

/** Of a request: what the browser, not the page's author, decides on. */
const NOT_SENT =
  /^(?:accept-(?!encoding)|cookie|device-memory|dnt|downlink|dpr|ect|origin$|priority|purpose|referer|rtt|save-data|sec-|service-worker|upgrade-insecure-requests|user-agent|viewport-width|width|x-client-data)/;

/** Of a response. Lengths and codings are those of the wire; the body here is decoded. */
const NOT_TAKEN =
  /^(?:accept-ch|age|alt-svc|attribution-reporting|cache-control|clear-site-data|content-encoding|content-length|content-security-policy|critical-ch|expires|integrity-policy|link|nel|no-vary-search|observe-browsing-topics|origin-agent-cluster|origin-trial|permissions-policy|pragma|refresh|report|reporting|server-timing|service-worker|set-cookie|set-login|sourcemap|speculation-rules|strict-transport|supports-loading|timing-allow|transfer-encoding|use-as-dictionary|vary|x-allium-|x-dns-prefetch|x-sourcemap)/;

/** A fetched document's policies are its own; one that is data has none. */
const DOCUMENT_POLICY = /^content-security-policy/;

export function requestHeaders(headers: Headers): Headers {
  return without(headers, (name) => NOT_SENT.test(name));
}

/** @param keepPolicy whether the response may be a document, which keeps what restricts it */
export function responseHeaders(headers: Headers, keepPolicy: boolean): Headers {
  return without(headers, (name) => NOT_TAKEN.test(name) && !(keepPolicy && DOCUMENT_POLICY.test(name)));
}

function without(headers: Headers, isOut: (name: string) => boolean): Headers {
  return new Headers([...headers].filter(([name]) => !isOut(name)));
}
