// A site to look at, of three pages with an image, a link and a form; its script must not have run.

const IMAGE = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 90 30" width="270" height="90"><g fill="none" stroke="#6d35a8" stroke-width="2"><circle cx="15" cy="15" r="5"/><circle cx="45" cy="15" r="9"/><circle cx="75" cy="15" r="13"/></g></svg>`;
/** With fixed heights: the tests click at a place, as they can ask nothing of a document without scripts. */
const STYLE =
  "body { font: 1rem sans-serif; margin: 2rem; color: #241d2e } h1 { margin: 0; line-height: 3rem } form { margin: 1rem 0 } a { color: #6d35a8 }";

function page(title: string, body: string): string {
  return `<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><title>${title}</title><link rel="stylesheet" href="/site/style.css">
<script>document.documentElement.textContent = "A script ran."</script></head>
<body><h1>${title}</h1>${body}</body>
</html>
`;
}

function escaped(text: string): string {
  return text.replace(/[<>&"]/g, (character) => `&#${character.charCodeAt(0)};`);
}

const HTML = "text/html; charset=utf-8";

/** Type and body by what follows `/site/`. */
export function siteFile(
  name: string,
  query: URLSearchParams,
): readonly [type: string, body: string] | undefined {
  const files: Readonly<Record<string, () => readonly [string, string]>> = {
    "": () => [
      HTML,
      page(
        "A small site",
        '<p><a href="/site/form">Say something</a></p><p><img src="/site/relays.svg" alt="Three relays"></p>',
      ),
    ],
    form: () => [
      HTML,
      page(
        "Say something",
        '<form action="/site/said"><button>Send</button> <input name="text" aria-label="Text" value="a &lt;b&gt;"></form>',
      ),
    ],
    said: () => [HTML, page("It was said", `<p>“${escaped(query.get("text") ?? "")}”</p>`)],
    "style.css": () => ["text/css", STYLE],
    "relays.svg": () => ["image/svg+xml", IMAGE],
  };
  return Object.hasOwn(files, name) ? files[name]?.() : undefined;
}
