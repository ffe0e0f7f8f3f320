// HTML as the viewer writes it: no way out is left in it, and it is of one form whatever the input was.

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { HtmlRewriter } from "../../src/viewer/html.ts";
import { ELEMENTS } from "../../src/viewer/html-names.ts";
import { UrlMapper } from "../../src/viewer/space.ts";

function rewrite(html: string, { scripts = false, pieces = [html] } = {}): string {
  const rewriter = new HtmlRewriter(
    new UrlMapper({ prefix: "/v/", target: new URL("http://site.example/dir/page") }),
    scripts,
  );
  return pieces.map((piece) => rewriter.push(piece)).join("") + rewriter.end();
}

describe("what a document leads to", () => {
  it.each([
    ['<a href="next?a=1&amp;b=2#c">', '<a href="/v/http/site.example/dir/next?a=1&amp;b=2#c">'],
    ["<a href=//other.example>", '<a href="/v/http/other.example/">'],
    ["<a href='https://other.example:8443/'>", '<a href="/v/https/other.example:8443/">'],
    ["<a href=#part>", '<a href="#part">'],
    ["<A HREF=' /up '\n>", '<a href="/v/http/site.example/up">'],
    ["<a href=&#104;ttp&#x3a;//other.example/>", '<a href="/v/http/other.example/">'],
    ["<form action=go method=post>", '<form action="/v/http/site.example/dir/go" method="post">'],
    ["<button formaction=//other.example/>", '<button formaction="/v/http/other.example/">'],
    ["<iframe src=in>", '<iframe src="/f/http/site.example/dir/in"></iframe>'],
    ["<img src=a.png>", '<img src="/r/http/site.example/dir/a.png">'],
    ["<img src='data:image/png;base64,AA'>", '<img src="data:image/png;base64,AA">'],
    [
      '<img srcset="a.png, //o.example/b.png 2x,c.png 3x">',
      '<img srcset="/r/http/site.example/dir/a.png, /r/http/o.example/b.png 2x, /r/http/site.example/dir/c.png 3x">',
    ],
    [
      "<video poster=p src=v>",
      '<video poster="/r/http/site.example/dir/p" src="/r/http/site.example/dir/v">',
    ],
    ["<td background=b>", '<td background="/r/http/site.example/dir/b">'],
    [
      "<svg><image xlink:href=i /><use href=#u /><use href=//o.example/#u /></svg>",
      '<svg><image xlink:href="/r/http/site.example/dir/i"/><use href="#u"/><use/></svg>',
    ],
    [
      "<link rel='stylesheet' href=s.css media=print>",
      '<link rel="stylesheet" href="/r/http/site.example/dir/s.css" media="print">',
    ],
    ["<base href=//b.example/x/><base href=//c.example/><a href=y>", '<a href="/v/http/b.example/x/y">'],
    ["<base href=//b.example/><a href=#part>", '<a href="/v/http/b.example/#part">'],
    [
      '<p style="background:url(x.png)">',
      '<p style="background:url(&quot;/r/http/site.example/dir/x.png&quot;)">',
    ],
    ["<path fill='url(//o.example/#g)'>", '<path fill="url(&quot;/r/http/o.example/#g&quot;)">'],
    [
      "<style media=print><!-- p{} @import '//o.example/s'; --></style>",
      '<style media="print">  p{} @import url("/r/http/o.example/s");  </style>',
    ],
  ])("%s", (html, written) => {
    expect(rewrite(html)).toBe(written);
  });
});

describe("what is gone", () => {
  it.each([
    "<link rel=preconnect href=//o.example>",
    "<link rel='dns-prefetch' href=//o.example>",
    "<link rel=prefetch href=//o.example><link rel=prerender href=x><link rel=preload as=image href=x><link rel=modulepreload href=x>",
    "<link rel='icon stylesheet alternate' href=x><link rel=manifest href=x><link rel=icon href=x>",
    "<LINK\fREL=preconnect\nHREF=//o.example />",
    "<meta http-equiv=refresh content='0;url=//o.example'><meta charset=utf-16>",
    "<meta name=referrer content=unsafe-url><meta property=x content=y>",
    "<script src=//o.example></script><script>document.write('<img src=x>')</script>",
    '<script>"</script><script><!-- <script> --></script>',
    "<object data=//o.example></object><embed src=//o.example><portal src=x></portal><fencedframe src=x></fencedframe>",
    "<!-- <img src=//o.example> --><!--><!---><![CDATA[x]]><?xml x?></ x>",
    "<noframes><img src=x></noframes><noembed><img src=x></noembed>",
    "<base href='javascript:alert(1)'><applet code=x><animate attributeName=href to=//o.example>",
    "<img src=x",
    "<!-- never ended <p>",
    "<a title='never ended>",
  ])("%s", (html) => {
    expect(rewrite(html)).toBe("");
  });

  it.each([
    ["<a ping=//o.example target=_blank download onclick=x() attributionsrc rel=opener>", "<a>"],
    ["<a href=javascript:alert(1)>", "<a>"],
    ["<a href='&#106;avascript:x'>", "<a>"],
    ["<a href='data:text/html,x'>", "<a>"],
    ["<a href=mailto:x@y>", "<a>"],
    ["<img src=blob:x onerror=x() integrity=x crossorigin lowsrc=//o.example>", "<img>"],
    ["<iframe srcdoc='<p>' src=javascript:x allow=camera sandbox></iframe>", "<iframe></iframe></iframe>"],
    ["<body onload=x() background=ftp://o.example/>", "<body>"],
    ["<use href=//o.example/x.svg#a>", "<use>"],
    ["<p style='background:url(javascript:x)'>", '<p style="background:url(&quot;about:invalid&quot;)">'],
    ["<noscript><p>shown</p></noscript>", "<p>shown</p>"],
  ])("%s leaves %s", (html, written) => {
    expect(rewrite(html)).toBe(written);
  });
});

describe("how it is written", () => {
  it.each([
    [
      "<!DOCTYPE html><p class=a id='b' data-x=1 aria-label=\"c\">1 < 2 &amp; 3</p>",
      '<!DOCTYPE html><p class="a" id="b" data-x="1" aria-label="c">1 &lt; 2 &amp; 3</p>',
    ],
    ["<p title='\"<b>'>", '<p title="&quot;&lt;b>">'],
    ["<p class=a class=b>", '<p class="a">'],
    ["<x-own class=a><unknown>text</unknown></x-own>", '<x-own class="a">text</x-own>'],
    ["<title><b></title><textarea></textarea foo>", "<title>&lt;b></title><textarea></textarea>"],
    ["<xmp><b></xmp><plaintext><b></plaintext>", "<pre>&lt;b></pre><pre>&lt;b>&lt;/plaintext>"],
    ["<style>a{content:'</style><b>", "<style>a{content:'</style><b>"],
    ["<style>a{} <b></style>", "<style>a{} \\3c b></style>"],
    ["a\0b", "a\ufffdb"],
    ["<meta name=Viewport content='a\"b'>", '<meta name="Viewport" content="a&quot;b">'],
  ])("%s", (html, written) => {
    expect(rewrite(html)).toBe(written);
  });

  const nasty = fc.array(
    fc.oneof(
      fc.constantFrom(
        "<",
        ">",
        "</",
        "<!--",
        "-->",
        "--!>",
        "<!",
        "<?",
        '"',
        "'",
        "=",
        " ",
        "/",
        "\n",
        "\0",
        "&#60;",
        "&",
      ),
      fc.constantFrom(
        "<style",
        "</style>",
        "<title>",
        "</title>",
        "<xmp>",
        "<textarea>",
        "<svg>",
        "<math>",
        "<![CDATA[",
        "]]>",
      ),
      fc.constantFrom(
        "<a href=",
        "//o.example",
        "<link rel=preconnect href=//o.example>",
        "<script>",
        "</script",
        "<iframe",
        "url(",
        "\\",
      ),
      fc.string({ maxLength: 4 }),
    ),
    { maxLength: 30 },
  );
  /** Text without "<", tags with quoted values, doctypes; style sheets between their tags have no "<" either. */
  const FORM =
    /^(?:[^<]|<\/?([a-z0-9-]+)(?: [a-z0-9:-]+="[^"<]*")*\/?>|<![dD][oO][cC][tT][yY][pP][eE][\w\s"'/:.+-]*>)*$/;

  it("is of one form for whatever input", () => {
    fc.assert(
      fc.property(nasty, (parts) => {
        const output = rewrite(parts.join(""));
        expect(output).toMatch(FORM);
        for (const [, name = ""] of output.matchAll(/<\/?([a-z0-9-]+)/g))
          expect(ELEMENTS.has(name) || ["style", "link", "meta"].includes(name) || name.includes("-")).toBe(
            true,
          );
        // Only as text, or in a path of the viewer's origin.
        expect(output).not.toMatch(/(?:href|src|action)="(?:\/\/|[a-z]+:)/);
      }),
      { numRuns: 2000 },
    );
  });

  it("is the same however the input is cut", () => {
    fc.assert(
      fc.property(nasty, (parts) => {
        expect(rewrite("", { pieces: parts })).toBe(rewrite(parts.join("")));
      }),
      { numRuns: 1000 },
    );
  });

  it("keeps no more than a token of a megabyte, and takes linear time", () => {
    for (const start of ["<!--", "<a title='", "<style>", "<a ", "<title>", "<!x"]) {
      const rewriter = new HtmlRewriter(
        new UrlMapper({ prefix: "/v/", target: new URL("http://x/") }),
        false,
      );
      const began = performance.now();
      rewriter.push(start);
      for (let i = 0; i < 100; i++) rewriter.push("x ".repeat(8192));
      rewriter.push("'--></style></title></a></iframe>");
      expect(`${rewriter.push("<p>end")}${rewriter.end()}`).toContain("<p>end");
      expect(performance.now() - began).toBeLessThan(5000);
    }
  });
});

describe("with scripts on", () => {
  it("keeps scripts, from the site's own origin, and drops what is for others", () => {
    const html = "<script src=//o.example/s.js async>a<b</script><noscript><p></noscript><p onclick=x()>";
    expect(rewrite(html, { scripts: true })).toBe(
      '<script src="/r/http/o.example/s.js" async="">a<b</script><p>',
    );
  });
});
