// Elements and attributes of HTML, SVG and MathML that the viewer lets through. Whatever is not listed here is not in a shown
// document, so that what a browser learns one day to load, to prefetch or to report is not either.

function names(text: string): ReadonlySet<string> {
  return new Set(text.trim().split(/\s+/));
}

export const ELEMENTS = names(`
  a abbr address area article aside audio b bdi bdo big blockquote body br button caption center cite code col colgroup
  data datalist dd del details dfn dialog dir div dl dt em fieldset figcaption figure font footer form frame frameset h1
  h2 h3 h4 h5 h6 head header hgroup hr html i iframe img input ins kbd label legend li main map mark marquee menu meter
  nav nobr ol optgroup option output p picture pre progress q rb rp rt rtc ruby s samp search section select small
  source span strike strong sub summary sup table tbody td textarea tfoot th thead time title tr track tt u ul var video
  wbr
  svg g path rect circle ellipse line polyline polygon text tspan textpath defs use symbol clippath mask pattern
  lineargradient radialgradient stop marker image desc
  math mi mn mo ms mtext mrow mfrac msqrt mroot msub msup msubsup munder mover munderover mtable mtr mtd mspace mstyle
  mpadded mphantom semantics`);

export const ATTRIBUTES = names(`
  abbr accept align alt async autocomplete autoplay axis bgcolor border cellpadding cellspacing char checked class clear color
  cols colspan compact controls coords datetime default defer dir disabled enctype face for form formenctype formmethod formnovalidate frame frameborder headers
  height hidden high hspace id inputmode ismap kind label lang list loop low marginheight marginwidth max maxlength
  media method min minlength multiple muted name nomodule noresize noshade novalidate nowrap open optimum pattern placeholder
  playsinline readonly required reversed role rows rowspan rules scope scrolling selected shape size sizes span
  spellcheck srclang start step style summary tabindex title translate type usemap valign value vspace width wrap
  clip-path clip-rule clippathunits cx cy d display dominant-baseline dx dy fill fill-opacity fill-rule font-family
  font-size font-style font-weight fx fy gradienttransform gradientunits letter-spacing marker-end marker-mid
  marker-start markerheight markerunits markerwidth mask maskcontentunits maskunits offset opacity orient overflow
  patterncontentunits patterntransform patternunits points preserveaspectratio r refx refy rotate rx ry spreadmethod
  stop-color stop-opacity stroke stroke-dasharray stroke-dashoffset stroke-linecap stroke-linejoin stroke-miterlimit
  stroke-opacity stroke-width text-anchor textlength transform transform-origin version viewbox visibility x x1 x2 xmlns
  y y1 y2 columnalign columnspacing displaystyle linethickness mathvariant rowalign rowspacing scriptlevel stretchy`);

/** Whose content is text to the parser (HTML 13.1.2), and what becomes of it. */
export const RAW: Readonly<Record<string, "drop" | "text" | "style" | "script">> = {
  ...{ script: "script", style: "style", title: "text", textarea: "text", xmp: "text", plaintext: "text" },
  ...{ iframe: "drop", noembed: "drop", noframes: "drop" },
};

/** Metadata that the viewer lets through, of the form `<meta name>`. */
export const METAS = names("viewport color-scheme theme-color");
