// The status element's style. As a constructed sheet it needs no exception from a policy of `style-src 'self'`.
// Colours follow the page's `color-scheme`; the custom properties and parts are listed in docs/embedding.md.

const CSS = `
:host {
  --_accent: var(--tor-status-accent, light-dark(#6d35a8, #c39bf0));
  --_text: var(--tor-status-text, light-dark(#241d2e, #ece7f3));
  --_soft: var(--tor-status-soft, light-dark(#655c72, #a89fb6));
  --_line: var(--tor-status-line, light-dark(#ddd6e6, #3a3247));
  --_good: var(--tor-status-good, light-dark(#1f7a3d, #6fd08c));
  --_bad: var(--tor-status-bad, light-dark(#a8231f, #ff9d94));
  --_bad-background: var(--tor-status-bad-background, light-dark(#fdecea, #3a1d1c));
  display: block;
  container-type: inline-size;
  color: var(--_text);
  line-height: 1.45;
  overflow-wrap: anywhere;
}
:host([hidden]), [hidden] { display: none !important; }
.panel { display: grid; gap: 0.75em; }
.row { display: flex; flex-wrap: wrap; align-items: center; gap: 0.5em 0.75em; }
.state { display: inline-flex; align-items: center; gap: 0.45em; font-weight: 600; margin-inline-end: auto; color: var(--_soft); }
.state::before {
  content: "";
  flex: none;
  width: 0.7em;
  height: 0.7em;
  border: 2px solid currentColor;
  border-radius: 50%;
}
.state[data-state="ready"] { color: var(--_good); }
.state[data-state="ready"]::before { background: currentColor; }
.state[data-state="blocked"] { color: var(--_bad); }
.state[data-state="blocked"]::before { border-radius: 0; }
.state[data-state="starting"]::before { animation: pulse 1.2s ease-in-out infinite alternate; }
@keyframes pulse { to { opacity: 0.25; } }
button {
  padding: 0.35em 0.9em;
  border: 1px solid var(--_accent);
  border-radius: 0.5em;
  background: transparent;
  color: var(--_accent);
  font: inherit;
  cursor: pointer;
}
button[aria-disabled="true"] { opacity: 0.5; cursor: default; }
button:focus-visible { outline: 2px solid var(--_accent); outline-offset: 2px; }
progress {
  appearance: none;
  display: block;
  box-sizing: border-box;
  width: 100%;
  height: 0.6em;
  border: 0;
  border-radius: 0.3em;
  overflow: hidden;
  background: var(--_line);
}
progress::-webkit-progress-bar { background: var(--_line); }
progress::-webkit-progress-value { background: var(--_accent); transition: inline-size 0.3s; }
progress::-moz-progress-bar { background: var(--_accent); }
p { margin: 0; }
.message { color: var(--_soft); }
.message[data-state="blocked"] { color: var(--_bad); font-weight: 600; }
.detail {
  padding: 0.6em 0.8em;
  border-radius: 0.5em;
  background: var(--_bad-background);
  font-size: 0.9em;
}
code { font-size: 0.95em; }
ol { display: grid; margin: 0; padding: 0; list-style: none; }
li {
  position: relative;
  padding-block-end: 0.8em;
  padding-inline-start: 1.7em;
}
li::before {
  content: "";
  position: absolute;
  z-index: 1;
  inset-block-start: 0.3em;
  inset-inline-start: 0;
  box-sizing: border-box;
  width: 0.9em;
  height: 0.9em;
  border: 3px solid var(--_accent);
  border-radius: 50%;
}
li.relay::before { background: var(--_accent); }
li:not(:last-child)::after {
  content: "";
  position: absolute;
  inset-block: 1.2em -0.3em;
  inset-inline-start: calc(0.45em - 1px);
  border-inline-start: 2px solid var(--_accent);
}
.name { display: block; font-weight: 600; }
.role, .country { color: var(--_soft); font-size: 0.875em; }
.role:not(:last-child)::after { content: " · "; }
@container (min-width: 36em) {
  ol { grid-auto-flow: column; grid-auto-columns: minmax(0, 1fr); }
  li { padding-block: 1.4em 0; padding-inline: 0 0.8em; }
  li:not(:last-child)::after {
    inset-block: calc(0.75em - 1px) auto;
    inset-inline: 0.9em 0;
    border-inline-start: 0;
    border-block-start: 2px solid var(--_accent);
  }
}
@media (prefers-reduced-motion: reduce) {
  .state::before { animation: none !important; }
  progress::-webkit-progress-value { transition: none; }
}
@media (forced-colors: active) {
  progress { border: 1px solid; }
  li.relay::before { forced-color-adjust: none; background: CanvasText; border-color: CanvasText; }
  .detail { border: 1px solid; }
}
`;

export function styleSheet(): CSSStyleSheet {
  const sheet = new CSSStyleSheet();
  sheet.replaceSync(CSS);
  return sheet;
}
