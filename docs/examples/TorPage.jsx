// React: the status element, and a page fetched through Tor. React sets objects as properties of elements that are defined.

import { defineTorStatus } from "@allium/web/status";
import { useState } from "react";

defineTorStatus();

export function TorPage({ client, url }) {
  const [answer, setAnswer] = useState("");
  const text = () => client.fetch(url).then((response) => response.text());
  const load = async () => setAnswer(await text().catch((error) => error.message));
  return (
    <>
      <tor-status client={client} />
      <button type="button" onClick={load}>
        Fetch
      </button>
      <pre>{answer}</pre>
    </>
  );
}
