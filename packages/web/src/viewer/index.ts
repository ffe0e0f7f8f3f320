// The entry @allium/web/viewer: sites through Tor in a frame of a page.

export { SCRIPT_RISKS, type ScriptRisk } from "./risks.ts";
export { createViewer, type Viewer, type ViewerOptions } from "./viewer.ts";
