// Style sheets as the viewer writes them.

import { expect, it } from "vitest";
import { rewriteCss } from "../../src/viewer/css.ts";
import { UrlMapper } from "../../src/viewer/space.ts";

const urls = () => new UrlMapper({ prefix: "/r/", target: new URL("http://site.example/css/s.css") });

it.each([
  ["a{b:url(x.png)}", 'a{b:url("/r/http/site.example/css/x.png")}'],
  ["a{b:url( 'x y.png' )}", 'a{b:url("/r/http/site.example/css/x%20y.png")}'],
  ['a{b:URL("//o.example/\\22 x")}', 'a{b:url("/r/http/o.example/%22x")}'],
  ["a{b:url(\\68ttp://o.example/)}", 'a{b:url("/r/http/o.example/")}'],
  ["@import 'm.css' print;", '@import url("/r/http/site.example/css/m.css") print;'],
  ["@IMPORT url(m.css);", '@import url("/r/http/site.example/css/m.css");'],
  ["@import/**/'//o.example';", "@import '//o.example';"],
  ["/* url(x) */a{}", " a{}"],
  ["/* never ended url(x)", " "],
  ["a{b:url(#g)}", 'a{b:url("#g")}'],
  ["a{b:url(data:image/svg+xml,x)}", 'a{b:url("data:image/svg+xml,x")}'],
  ["a{b:url(data:text/html,x)}", 'a{b:url("about:invalid")}'],
  ["a{b:url()}", 'a{b:url("about:invalid")}'],
  ["a{b:url(javascript:x)}", 'a{b:url("about:invalid")}'],
  ["a{content:'url(x)'}", "a{content:'url(x)'}"],
  ["a{content:'</style>'}", "a{content:'\\3c /style>'}"],
])("%s", (css, written) => {
  expect(rewriteCss(css, urls())).toBe(written);
});

it("takes linear time for what has no end", () => {
  for (const part of ["url(", "'", '"', "/*", "@import ", "\\", "url('", "@import '"]) {
    const began = performance.now();
    rewriteCss(part.repeat(50_000), urls());
    expect(performance.now() - began).toBeLessThan(3000);
  }
});
