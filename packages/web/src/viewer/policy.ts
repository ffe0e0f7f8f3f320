// The policies under which a shown document stands: nothing is loaded but from its own origin, where the worker is, and nothing
// runs (Content Security Policy 3, Permissions Policy, Referrer Policy). They hold also where the rewriter errs, and where
// the worker is gone: then the viewer's own server is all that can be asked.

/** Features of Permissions Policy that let a page see, hear, report, or ask others. */
const FEATURES = `accelerometer ambient-light-sensor attribution-reporting autoplay bluetooth browsing-topics camera
  clipboard-read clipboard-write compute-pressure display-capture encrypted-media fullscreen gamepad geolocation gyroscope hid
  identity-credentials-get idle-detection interest-cohort join-ad-interest-group keyboard-map local-fonts magnetometer microphone midi
  otp-credentials payment picture-in-picture private-aggregation private-state-token-issuance publickey-credentials-get
  run-ad-auction screen-wake-lock serial shared-storage storage-access sync-xhr unload usb web-share window-management
  xr-spatial-tracking`;

const COMMON =
  "default-src 'none'; img-src 'self' data:; style-src 'self' 'unsafe-inline'; font-src 'self' data:; media-src 'self' data:; frame-src 'self'; form-action 'self'; base-uri 'none'; webrtc 'block'";
const PASSIVE = "; script-src 'none'; sandbox allow-same-origin allow-forms";
const ACTIVE =
  "; script-src 'self' 'unsafe-inline'; connect-src 'self'; sandbox allow-same-origin allow-forms allow-scripts";

/** What the frames of a viewer may do; the same as in the policy of their documents. */
export function sandboxOf(scripts: boolean): string {
  return `allow-same-origin allow-forms${scripts ? " allow-scripts" : ""}`;
}

/** The fields of every answer that the viewer's worker gives. */
export function policyHeaders(scripts: boolean): Headers {
  return new Headers({
    "content-security-policy": COMMON + (scripts ? ACTIVE : PASSIVE),
    "permissions-policy": FEATURES.split(/\s+/)
      .map((feature) => `${feature}=()`)
      .join(", "),
    "referrer-policy": "no-referrer",
    "x-dns-prefetch-control": "off",
    "x-content-type-options": "nosniff",
    "cross-origin-resource-policy": "same-origin",
    "origin-agent-cluster": "?1",
    "cache-control": "no-store",
  });
}
