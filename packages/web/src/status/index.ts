// The entry @allium/web/status: an element that shows a page's visitors what their Tor client does. It needs a document.

export { defineTorStatus, TorStatus } from "./element.ts";
export { englishLabels, type StatusLabelChanges, type StatusLabels, type StatusState } from "./labels.ts";
