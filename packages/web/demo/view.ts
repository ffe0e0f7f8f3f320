// The page's drawing: elements by id, the circuit, the response. Text only ever enters as text.

export function element<T extends HTMLElement = HTMLElement>(id: string): T {
  const found = document.getElementById(id);
  if (found === null) throw new Error(`the page has no #${id}`);
  return found as T;
}

export function show(id: string, visible: boolean): void {
  element(id).hidden = !visible;
}

export interface Station {
  readonly title: string;
  readonly detail: string;
  readonly relay: boolean;
}

/** Draws the way of a request as a list of stations. */
export function drawCircuit(stations: readonly Station[]): void {
  const items = stations.map((station) => {
    const item = document.createElement("li");
    if (station.relay) item.className = "relay";
    item.append(textElement("b", station.title), textElement("span", station.detail));
    return item;
  });
  element("circuit").replaceChildren(...items);
}

export function drawFacts(facts: readonly (readonly [string, string])[]): void {
  element("facts").replaceChildren(
    ...facts.flatMap(([name, value]) => [textElement("dt", name), textElement("dd", value)]),
  );
}

/** Shows a body: HTML in a frame that may run and load nothing, text as text, anything else as a link to save it. */
export function drawBody(contentType: string, bytes: Uint8Array<ArrayBuffer>): void {
  const view = element("view");
  if (contentType.includes("html")) view.replaceChildren(frameOf(bytes), sourceOf(bytes));
  else if (/^text\/|json|xml/.test(contentType)) view.replaceChildren(textElement("pre", decode(bytes)));
  else view.replaceChildren(saveLink(bytes, contentType));
}

const SHOWN_TEXT = 256 * 1024;

function decode(bytes: Uint8Array): string {
  const cut = bytes.length > SHOWN_TEXT;
  return new TextDecoder().decode(bytes.subarray(0, SHOWN_TEXT)) + (cut ? "\n…" : "");
}

function frameOf(bytes: Uint8Array): HTMLIFrameElement {
  const frame = document.createElement("iframe");
  frame.title = "The fetched page, without scripts and without what it would load";
  frame.setAttribute("sandbox", "");
  frame.srcdoc = decode(bytes);
  return frame;
}

function sourceOf(bytes: Uint8Array): HTMLDetailsElement {
  const details = document.createElement("details");
  details.append(textElement("summary", "Source"), textElement("pre", decode(bytes)));
  return details;
}

function saveLink(bytes: Uint8Array<ArrayBuffer>, type: string): HTMLElement {
  const link = document.createElement("a");
  link.textContent = "Save the file";
  link.download = "download";
  link.href = URL.createObjectURL(new Blob([bytes], { type }));
  return link;
}

export function textElement<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  text: string,
): HTMLElementTagNameMap[K] {
  const made = document.createElement(tag);
  made.textContent = text;
  return made;
}

export function formatBytes(count: number): string {
  if (count < 1024) return `${count} bytes`;
  if (count < 1024 * 1024) return `${(count / 1024).toFixed(1)} KiB`;
  return `${(count / 1024 / 1024).toFixed(1)} MiB`;
}
