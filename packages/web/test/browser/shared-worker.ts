// The worker of the shared client's tests: Allium's own, and a way to end it that works in every browser.

import "@allium/web/worker";

new BroadcastChannel("test/kill").onmessage = () => globalThis.close();
