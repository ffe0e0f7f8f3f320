// Puts the example for Vue into a page, with a client of the network that the test names.

import { createTorClient } from "@allium/web";
import { createApp } from "vue";
import TorPage from "../../../docs/examples/TorPage.vue";

let client;
let app;

globalThis.examplePage = {
  mount({ url, ...options }) {
    client = createTorClient(options);
    app = createApp(TorPage, { client, url });
    app.mount(document.body);
  },
  ready: () => client.ready(),
  async unmount() {
    app.unmount();
    await client.close();
  },
};
