// What a site can do past Tor once its scripts run in a viewer: measured by test/e2e/viewer-leaks where browsers are named,
// otherwise what follows from how browsers work. For those who decide about it, who should see it first.

export interface ScriptRisk {
  /** A short name. */
  readonly way: string;
  /** What happens, as a sentence to show. */
  readonly text: string;
  /** Where it was seen; empty for what no test sees. */
  readonly browsers: readonly ("chromium" | "firefox")[];
}

export const SCRIPT_RISKS: readonly ScriptRisk[] = [
  {
    way: "preconnect",
    text: "The site can have your browser look up and connect to hosts of its choice directly, and so learn your address.",
    browsers: ["chromium", "firefox"],
  },
  {
    way: "webrtc",
    text: "The site can start WebRTC, which contacts servers of its choice directly and tells your addresses.",
    browsers: ["firefox"],
  },
  {
    way: "dns-prefetch",
    text: "The site can have your browser look up names of its choice, which tells whoever serves them your resolver.",
    browsers: ["chromium"],
  },
  {
    way: "iframe",
    text: "The site can open frames of other hosts: they are refused, but their names are looked up before.",
    browsers: ["chromium"],
  },
  {
    way: "worker-gone",
    text: "The site can remove the viewer's worker; what it then asks for, the viewer's own server sees, with your address.",
    browsers: [],
  },
  {
    way: "port",
    text: "The site can use the viewer's port to fetch other sites through Tor under its own isolation key, and read them.",
    browsers: [],
  },
  {
    way: "same-site",
    text: "The site can set cookies for the page that embeds it and its parent domain, where a browser stores them.",
    browsers: [],
  },
  {
    way: "fingerprint",
    text: "The site can measure your browser and device, and know you again by that, whatever the circuit.",
    browsers: [],
  },
];
