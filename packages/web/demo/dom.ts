// The page's elements. Text only ever enters as text.

export function element<T extends HTMLElement = HTMLElement>(id: string): T {
  const found = document.getElementById(id);
  if (found === null) throw new Error(`the page has no #${id}`);
  return found as T;
}

/** The address that is typed in a field; plain HTTP where it has no scheme. */
export function typedAddress(id: string): string {
  const typed = element<HTMLInputElement>(id).value.trim();
  return /^[a-z][a-z0-9+.-]*:\/\//i.test(typed) ? typed : `http://${typed}`;
}

export function show(id: string, visible: boolean): void {
  element(id).hidden = !visible;
}

export function textElement<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  text: string,
  className = "",
): HTMLElementTagNameMap[K] {
  const made = document.createElement(tag);
  made.textContent = text;
  if (className !== "") made.className = className;
  return made;
}

/** A row of a table; its first cell is the row's head. */
export function tableRow(head: string | Node, ...cells: readonly (string | Node)[]): HTMLTableRowElement {
  const row = document.createElement("tr");
  const first = document.createElement("th");
  first.scope = "row";
  first.append(head);
  row.append(first);
  for (const cell of cells) row.insertCell().append(cell);
  return row;
}

/** A name with what is less important beneath it. */
export function twoLines(name: string, detail: string): DocumentFragment {
  const both = document.createDocumentFragment();
  both.append(textElement("bdi", name), textElement("small", detail));
  return both;
}

/** Puts addresses beneath a field, each of which goes there by a click. */
export function suggest(id: string, addresses: readonly string[], pick: (address: string) => void): void {
  const links = addresses.map((address) => {
    const link = textElement("button", address, "link");
    link.type = "button";
    link.addEventListener("click", () => pick(address));
    return link;
  });
  show(id, links.length > 0);
  element(id).replaceChildren("Try ", ...links.flatMap((link, i) => (i === 0 ? [link] : [" · ", link])));
}

/** Gives these bytes to the browser as a file to be saved. */
export function saveFile(bytes: Uint8Array<ArrayBuffer>, name: string, type: string): void {
  const link = document.createElement("a");
  link.download = name;
  link.href = URL.createObjectURL(new Blob([bytes], { type }));
  link.click();
  // The browser has taken hold of the bytes once the click is over.
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}
