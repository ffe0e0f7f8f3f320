// HTML as the viewer shows it: tokens (HTML 13.2.5) are read and written anew, in one canonical form: listed elements, listed
// attributes with quoted values, text without "<". Whatever the input was, the browser's parser sees only that; so nothing
// rests on reading damaged input as a browser does. Never more than one token is kept, of a megabyte at the most.
// Not here: the tree. What a document may load is its policy's to say (policy.ts); here go hints, which no policy covers.

import {
  type Attributes,
  decodeReferences,
  escapeText,
  quoteValue,
  rewriteAttributes,
} from "./attributes.ts";
import { rewriteCss } from "./css.ts";
import { ELEMENTS, METAS, RAW } from "./html-names.ts";
import { PREFIXES, type UrlMapper } from "./space.ts";

const MAX_TOKEN = 1_048_576;
const SHORT = 4096;
const NAME = /^[a-z][a-z0-9]*(?:-[a-z0-9]+)*$/;
const ATTRIBUTE =
  /[\t\n\f\r /]*(?:(>)|(=?[^\t\n\f\r />=]*)(?:[\t\n\f\r ]*=[\t\n\f\r ]*(?:"([^"]*)(?:"|$)|'([^']*)(?:'|$)|([^\t\n\f\r >"'][^\t\n\f\r >]*)|(?=>)))?)/y;

interface Tag {
  readonly name: string;
  readonly attributes: Attributes;
  readonly isClosed: boolean;
}

export class HtmlRewriter {
  readonly #urls: UrlMapper;
  readonly #scripts: boolean;
  #input = "";
  #at = 0;
  /** So much must be there before it is read again. */
  #enough = 0;
  #isOver = false;
  /** The element whose text is being read, if it is one of RAW. */
  #raw: string | undefined;
  /** Its tag, where the element is written as a whole. */
  #rawTag = "";

  constructor(urls: UrlMapper, scripts: boolean) {
    this.#urls = urls;
    this.#scripts = scripts;
  }

  /** What can be written after so much input. */
  push(text: string): string {
    this.#input = this.#input.slice(this.#at) + text.replaceAll("\0", "\ufffd");
    this.#at = 0;
    return this.#input.length < this.#enough ? "" : this.#run();
  }

  end(): string {
    this.#isOver = true;
    return this.#run();
  }

  #run(): string {
    let output = "";
    while (this.#at < this.#input.length) {
      const piece = this.#raw === undefined ? this.#next() : this.#text(this.#raw);
      if (piece === undefined) break;
      output += piece;
    }
    // A long token is not read again for every few bytes more of it.
    const left = this.#input.length - this.#at;
    this.#enough = left < SHORT ? 0 : 2 * left;
    return output;
  }

  /** The next token, written anew; undefined when it is not there whole. */
  #next(): string | undefined {
    const input = this.#input;
    const from = this.#at;
    if (input[from] !== "<") {
      const to = input.indexOf("<", from);
      this.#at = to < 0 ? input.length : to;
      return input.slice(from, this.#at);
    }
    if (!this.#isOver && input.length - from < 4) return undefined;
    if (/[a-z]/i.test(input[from + 1] ?? "")) return this.#tag(from + 1, (tag) => this.#open(tag));
    if (input.startsWith("</", from) && /[a-z]/i.test(input[from + 2] ?? ""))
      return this.#tag(from + 2, ({ name }) => (isShown(name) ? `</${shownName(name)}>` : ""));
    if (/[!?/]/.test(input[from + 1] ?? "")) return this.#comment(from);
    this.#at++;
    return "&lt;";
  }

  /** Comments, doctypes, processing instructions, CDATA. */
  #comment(from: number): string | undefined {
    const isComment = this.#input.startsWith("<!--", from);
    const end = isComment ? /<!--(?:-?>|[\s\S]*?--!?>)/y : /<[^>]*>/y;
    end.lastIndex = from;
    const found = end.exec(this.#input)?.[0];
    if (found === undefined) return this.#incomplete(from);
    this.#at += found.length;
    return /^<!doctype[\w\s"'/:.+-]*>$/i.test(found) ? found : "";
  }

  /** A token without an end: more of it may come, or it is dropped. */
  #incomplete(from: number): string | undefined {
    if (!this.#isOver && this.#input.length - from < MAX_TOKEN) return undefined;
    this.#at = this.#input.length;
    return "";
  }

  #tag(from: number, write: (tag: Tag) => string): string | undefined {
    const name = /[^\t\n\f\r />]*/y;
    name.lastIndex = from;
    const tagName = (name.exec(this.#input)?.[0] ?? "").toLowerCase();
    const attributes: Attributes = new Map();
    for (let at = from + tagName.length; ; ) {
      ATTRIBUTE.lastIndex = at;
      const match = ATTRIBUTE.exec(this.#input);
      const before = at;
      at = ATTRIBUTE.lastIndex;
      const [, close, attribute = "", double, single, bare] = match ?? [];
      if (close !== undefined) {
        this.#at = at;
        return write({
          name: tagName,
          attributes,
          isClosed: at - 2 >= before && this.#input[at - 2] === "/",
        });
      }
      if (at >= this.#input.length) return this.#incomplete(this.#at);
      const key = attribute.toLowerCase();
      // The first of two counts.
      if (!attributes.has(key)) attributes.set(key, double ?? single ?? bare ?? "");
    }
  }

  #open({ name, attributes, isClosed }: Tag): string {
    const raw = this.#kindOf(name);
    if (raw !== undefined) this.#raw = name;
    if (name === "base") this.#urls.rebase(decodeReferences(attributes.get("href") ?? ""));
    if (name === "link") return this.#link(attributes);
    if (name === "meta")
      return METAS.has((attributes.get("name") ?? "").toLowerCase()) ? metaTag(attributes) : "";
    const written = rewriteAttributes(name, attributes, this.#urls);
    this.#rawTag = `<${name}${written}>`;
    if (raw === "style" || raw === "script" || !isShown(name)) return "";
    return `<${shownName(name)}${written}${isClosed ? "/" : ""}>${raw === "drop" ? "</iframe>" : ""}`;
  }

  /** Of all links only style sheets are left: icons, preloads, preconnects and the rest are gone. */
  #link(attributes: Attributes): string {
    const rel = (attributes.get("rel") ?? "").toLowerCase().split(/\s+/);
    const href = this.#urls.map(decodeReferences(attributes.get("href") ?? ""), PREFIXES.data);
    if (!rel.includes("stylesheet") || rel.includes("alternate") || href === undefined) return "";
    const media = attributes.get("media");
    return `<link rel="stylesheet" href="${escapeText(href)}"${media === undefined ? "" : ` media="${quoteValue(media)}"`}>`;
  }

  /** The text of an element of RAW, with its end tag. */
  #text(name: string): string | undefined {
    const from = this.#at;
    const end = name === "plaintext" ? /$^/g : new RegExp(`</${name}(?=[\\t\\n\\f\\r />])`, "gi");
    end.lastIndex = from;
    const found = end.exec(this.#input);
    const isWhole = found !== null || this.#isOver || this.#input.length - from >= MAX_TOKEN;
    if (!isWhole) return undefined;
    this.#at = found?.index ?? this.#input.length;
    if (found !== null) this.#raw = undefined;
    return this.#write(name, this.#input.slice(from, this.#at));
  }

  #write(name: string, text: string): string {
    const kind = this.#kindOf(name);
    if (kind === "text") return text.replaceAll("<", "&lt;");
    const css = () => rewriteCss(text.replace(/<!--|-->/g, " "), this.#urls);
    if (kind === "style") return `${this.#rawTag}${css()}</style>`;
    return kind === "script" && this.#scripts ? `${this.#rawTag}${text}</script>` : "";
  }

  /** Without scripts, what stands in a `<noscript>` is the page. */
  #kindOf(name: string): (typeof RAW)[string] | undefined {
    return name === "noscript" && this.#scripts ? "drop" : Object.hasOwn(RAW, name) ? RAW[name] : undefined;
  }
}

function isShown(name: string): boolean {
  return (
    ELEMENTS.has(name) || name === "xmp" || name === "plaintext" || (name.includes("-") && NAME.test(name))
  );
}

/** Elements whose content would be read in another way are shown as one whose content is not. */
function shownName(name: string): string {
  return name === "xmp" || name === "plaintext" ? "pre" : name;
}

function metaTag(attributes: Attributes): string {
  const [name = "", content = ""] = ["name", "content"].map((key) => attributes.get(key));
  return `<meta name="${quoteValue(name)}" content="${quoteValue(content)}">`;
}
