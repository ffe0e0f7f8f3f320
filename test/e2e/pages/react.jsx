// Puts the example for React into a page, with a client of the network that the test names.

import { createTorClient } from "@allium/web";
import { createRoot } from "react-dom/client";
import { TorPage } from "../../../docs/examples/TorPage.jsx";

let client;
let root;

globalThis.examplePage = {
  mount({ url, ...options }) {
    client = createTorClient(options);
    root = createRoot(document.body);
    root.render(<TorPage client={client} url={url} />);
  },
  ready: () => client.ready(),
  async unmount() {
    root.unmount();
    await client.close();
  },
};
