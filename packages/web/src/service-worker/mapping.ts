// Targets written as paths of the own origin: `http://host:8080/a?b` below `/tor/` is `/tor/http/host:8080/a?b`. The path of
// the target keeps its shape, so that relative URLs stay below it. A fragment is kept; no server ever sees one.

/** The path of a target; undefined for what is no `http:` or `https:` URL without credentials. */
export function pathOfTarget(prefix: string, target: URL): string | undefined {
  const { protocol, username, password, host, pathname, search, hash } = target;
  if (!/^https?:$/.test(protocol) || username !== "" || password !== "") return undefined;
  return `${prefix}${protocol.slice(0, -1)}/${host}${pathname}${search}${hash}`;
}

/** The target of a URL whose path begins with the prefix; undefined where the rest names none. */
export function targetOfPath(prefix: string, url: URL): URL | undefined {
  const match = /^(https?)\/([^/\\?#@]+)(\/.*)?$/s.exec(url.pathname.slice(prefix.length));
  if (match === null) return undefined;
  const [, scheme, host, path = "/"] = match;
  const text = `${scheme}://${host}${path}${url.search}${url.hash}`;
  return URL.canParse(text) ? new URL(text) : undefined;
}
