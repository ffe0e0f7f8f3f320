// The entry @allium/web/service-worker: requests of a site's own pages through Tor, chosen in its service worker.

export type { RouteProblem } from "./answer.ts";
export type { RouteMatch } from "./match.ts";
export { routeReady, torPath } from "./page.ts";
export { type RouteClient, type RouteEvent, type TorRouteOptions, torRoute } from "./route.ts";
