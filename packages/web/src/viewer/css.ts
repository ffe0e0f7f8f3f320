// URLs in style sheets and style attributes (CSS Syntax 4.3, CSS Values 4.5). What is missed here (written with escapes in
// `url` itself, or as the bare text of an `image-set()`) leads nowhere: the document's policy lets no other origin be asked.

import { PREFIXES, type UrlMapper } from "./space.ts";

const STRING = String.raw`"(?:[^"\\\n]|\\[\s\S])*"|'(?:[^'\\\n]|\\[\s\S])*'`;
const TOKEN = new RegExp(
  String.raw`/\*[\s\S]*?(?:\*/|$)|(@import\s*)?(?:url\(\s*(${STRING}|(?:[^\s"'()\\]|\\[\s\S])*)\s*\)|(${STRING}))`,
  "gi",
);

/** The same style with every URL in the viewer's origin, and without comments. */
export function rewriteCss(css: string, urls: UrlMapper): string {
  const replace = (
    token: string,
    rule: string | undefined,
    url: string | undefined,
    text: string | undefined,
  ) => {
    if (token.startsWith("/*")) return " ";
    if (rule === undefined && url === undefined) return token;
    const mapped = urls.map(
      unescaped((url ?? text ?? "").replace(/^(["'])([\s\S]*)\1$/, "$2")),
      PREFIXES.data,
    );
    return `${rule === undefined ? "" : "@import "}url("${quote(mapped ?? "about:invalid")}")`;
  };
  // A style element's end tag, or any other tag, can then not be in there.
  return css.replace(TOKEN, replace).replaceAll("<", "\\3c ");
}

/** CSS Syntax 4.3.7. */
function unescaped(text: string): string {
  return text.replace(
    /\\(?:([0-9a-f]{1,6})\s?|\r?\n|([\s\S]))/gi,
    (_, hex: string | undefined, char: string | undefined) => {
      const code = hex === undefined ? 0 : Number.parseInt(hex, 16);
      return hex === undefined
        ? (char ?? "")
        : code > 0 && code < 0x110000
          ? String.fromCodePoint(code)
          : "\ufffd";
    },
  );
}

function quote(url: string): string {
  return url.replace(/["\\\n\r\f]/g, (char) => `\\${char.charCodeAt(0).toString(16)} `);
}
