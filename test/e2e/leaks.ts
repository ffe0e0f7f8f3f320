// One document that tries every way past a viewer that we know of. Each way has a host of its own, so that a look-up of the
// name already tells which one led out.

export interface LeakDocument {
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** What a viewer loads, through Tor; the rest is not loaded at all. */
export const LOADED = [
  ...[
    "audio",
    "background",
    "base",
    "css",
    "css-filter",
    "css-font",
    "css-import",
    "css-url",
    "element-style",
    "frame",
    "iframe",
  ],
  ...["image", "input", "picture", "poster", "srcset", "svg-image", "video"],
];

export function leakDocument(port: number): LeakDocument {
  const to = (way: string, scheme = "http") => `${scheme}://leak-${way}.tornet.test:${port}/${way}`;
  const links = [
    "preconnect",
    "dns-prefetch",
    "prefetch",
    "prerender",
    "preload",
    "modulepreload",
    "icon",
    "manifest",
  ];
  const link = (rel: string, way: string) => `<link rel="${rel}" href="${to(way)}" as="image">`;
  const group = (way: string) => JSON.stringify({ group: "g", max_age: 9, endpoints: [{ url: to(way) }] });
  const headers = {
    "content-type": "text/html",
    link: links.map((rel) => `<${to(`header-${rel}`)}>; rel=${rel}; as=image`).join(", "),
    refresh: `30;url=${to("header-refresh")}`,
    nel: '{"report_to":"g","max_age":9,"success_fraction":1}',
    "report-to": group("report-to"),
    "reporting-endpoints": `g="${to("reporting-endpoints")}", default="${to("reporting-default")}"`,
    "content-security-policy-report-only": `img-src 'none'; report-uri ${to("csp-report")}; report-to g`,
    "speculation-rules": `"${to("header-speculation")}"`,
    "set-cookie": "tracked=yes; Path=/",
    "x-dns-prefetch-control": "on",
    sourcemap: to("header-sourcemap"),
  };
  return {
    headers,
    body: `<!doctype html><html manifest="${to("appcache")}">${head(to, links.map((rel) => link(rel, rel)).join(""))}${body(to)}`,
  };
}

type To = (way: string, scheme?: string) => string;

function head(to: To, links: string): string {
  return `<head><base href="${to("base")}/">${links}
<meta http-equiv="x-dns-prefetch-control" content="on"><meta http-equiv="refresh" content="2;url=${to("meta-refresh")}">
<meta name="referrer" content="unsafe-url"><meta http-equiv="set-cookie" content="b=1">
<link rel="stylesheet" href="${to("css")}"><link rel="alternate stylesheet" href="${to("css-alternate")}">
<style>@import "${to("css-import")}"; @font-face { font-family: f; src: url(${to("css-font")}) }
body { font-family: f; background: url("${to("css-url")}"); cursor: u\\72l(${to("css-escaped")}), auto }
p { background: image-set("${to("css-image-set")}" 1x); filter: url(${to("css-filter")}#a) }</style>
<script type="speculationrules">{"prefetch":[{"source":"list","urls":["${to("speculation")}"],"eagerness":"immediate"}]}</script>
<script src="${to("script")}"></script></head>`;
}

function body(to: To): string {
  return `<body background="${to("background")}" onload="new Image().src='${to("handler")}'">
<a href="${to("link")}" ping="${to("ping")}" attributionsrc="${to("attribution")}">a</a><p style="background:url(${to("element-style")})">p</p>
<img src="under-base"><img src="${to("image")}" onerror="fetch('${to("onerror")}')" attributionsrc="${to("image-attribution")}">
<img srcset="${to("srcset")} 1x"><picture><source srcset="${to("picture")}"><img></picture><input type="image" src="${to("input")}">
<video src="${to("video")}" poster="${to("poster")}" autoplay muted></video><audio src="${to("audio")}" preload="auto"></audio>
<object data="${to("object")}"><embed src="${to("embed")}"></object><applet code="${to("applet")}"></applet><portal src="${to("portal")}"></portal>
<iframe src="${to("iframe")}"></iframe><iframe srcdoc="<img src='${to("srcdoc")}'>"></iframe><iframe src="data:text/html,<img src='${to("data-frame")}'>"></iframe>
<iframe src="javascript:fetch('${to("javascript")}')"></iframe><iframe src="/frame"></iframe>
<img src="data:image/svg+xml,<svg xmlns='http://www.w3.org/2000/svg'><image href='${to("svg-in-image")}'/></svg>">
<svg><image href="${to("svg-image")}"/><use href="${to("svg-use")}#a"/><filter><feImage href="${to("svg-feimage")}"/></filter><script href="${to("svg-script")}"/></svg>
<form action="${to("form")}" target="_blank"><button formaction="${to("formaction")}">b</button></form>
<script>${scripted(to)}</script>`;
}

/** What scripts try, alone: style sheets that do not come would hold them up. */
export function scriptDocument(port: number): string {
  const to = (way: string, scheme = "http") => `${scheme}://leak-${way}.tornet.test:${port}/${way}`;
  return `<!doctype html><head></head><body><script>${scripted(to)}</script>`;
}

/** What scripts can try beside; each on its own. */
function scripted(to: To): string {
  const add = (tag: string, attributes: string) =>
    `document.head.append(Object.assign(document.createElement("${tag}"), ${attributes}))`;
  const ways = [
    `fetch("${to("js-fetch")}", { mode: "no-cors" }).catch(() => {})`,
    `navigator.sendBeacon("${to("js-beacon")}")`,
    `new Image().src = "${to("js-image")}"`,
    `new WebSocket("${to("js-websocket", "ws")}")`,
    `new EventSource("${to("js-eventsource")}")`,
    `new Worker("${to("js-worker")}")`,
    `import("${to("js-import")}").catch(() => {})`,
    `window.open("${to("js-open")}")`,
    add("link", `{ rel: "preconnect", href: "${to("js-preconnect")}" }`),
    add("link", `{ rel: "dns-prefetch", href: "${to("js-dns-prefetch")}" }`),
    add("link", `{ rel: "prefetch", href: "${to("js-prefetch")}" }`),
    add("link", `{ rel: "preload", as: "image", href: "${to("js-preload")}" }`),
    add(
      "script",
      `{ type: "speculationrules", textContent: '{"prefetch":[{"source":"list","urls":["${to("js-speculation")}"]}]}' }`,
    ),
    add("iframe", `{ src: "${to("js-iframe")}" }`),
    add("a", `{ href: "${to("js-link")}", ping: "${to("js-ping")}" }`),
    `document.links[document.links.length - 1].click()`,
    `const peer = new RTCPeerConnection({ iceServers: [{ urls: "${to("js-webrtc", "stun").replace("://", ":").replace("/js-webrtc", "")}" }] }); peer.createDataChannel("x"); peer.createOffer().then((offer) => peer.setLocalDescription(offer))`,
    `document.cookie = "scripted=yes"`,
    `setTimeout(() => { top.location = "${to("js-top")}" }, 2000)`,
    `setTimeout(() => { location = "${to("js-location")}" }, 3000)`,
  ];
  return ways.map((way) => `try { ${way} } catch {}`).join(";\n");
}
