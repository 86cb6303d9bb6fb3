import type { RouteConditions } from './route-conditions.ts'
import type { PathMatcher } from './snapshot.ts'

/** Which of several routes that match gets a request; what `compareEntries` does, in words for people. */
export const precedence = `Of the routes that match a request, the first by these rules gets it:
  1. the higher priority;
  2. an exact host before a wildcard (the longer first) before any host;
  3. an exact path before a regular expression (the longer first) before a prefix (the longer first);
  4. more conditions on headers and query before fewer;
  5. one that names methods before one that takes any;
  6. the order of the configuration: files by name, then as they stand.`

/** A way into a route: one of its paths with one of its hosts. */
export interface RouteEntry<R extends RouteConditions = RouteConditions> {
  readonly route: R
  /** Where it stands in the list of routes. */
  readonly index: number
  /** '' for any. */
  readonly host: string
  readonly path: PathMatcher
}

const anyPath: readonly PathMatcher[] = [{ kind: 'prefix', path: '/' }]
const anyHost: readonly string[] = ['']

/** All ways into routes by `precedence`: the first that matches a request is the one that it takes. */
export function entriesInOrder<R extends RouteConditions>(routes: readonly R[]): RouteEntry<R>[] {
  const ranked: Ranked<R>[] = []
  for (const [index, route] of routes.entries()) {
    const conditions = route.headers.length + route.query.length
    for (const host of route.hosts.length > 0 ? route.hosts : anyHost) {
      for (const path of route.paths.length > 0 ? route.paths : anyPath) {
        ranked.push({
          route,
          index,
          host,
          path,
          hostRank: hostRank(host),
          pathRank: pathRank(path),
          conditions,
        })
      }
    }
  }
  return ranked.sort(compareEntries)
}

/** A prefix without the slash at its end, which means nothing; '' is any path. */
export const prefixOf = (path: string): string => path.replace(/\/+$/, '')

const signs = { exact: '=', prefix: '', regex: '~' } as const

/** A path as it is written in a configuration. */
export const pathText = (path: PathMatcher): string =>
  signs[path.kind] + (path.kind === 'regex' ? path.source : path.path)

interface Ranked<R extends RouteConditions> extends RouteEntry<R> {
  /** Lower is more specific. */
  readonly hostRank: number
  readonly pathRank: number
  readonly conditions: number
}

function compareEntries(a: Ranked<RouteConditions>, b: Ranked<RouteConditions>): number {
  return (
    b.route.priority - a.route.priority ||
    a.hostRank - b.hostRank ||
    a.pathRank - b.pathRank ||
    b.conditions - a.conditions ||
    Number(b.route.methods.length > 0) - Number(a.route.methods.length > 0)
  )
}

const longestText = 10_000 // more than names, paths and expressions may have

function hostRank(host: string): number {
  if (host === '') return 2 * longestText
  return host.startsWith('*.') ? longestText - host.length : 0
}

function pathRank(path: PathMatcher): number {
  switch (path.kind) {
    case 'exact':
      return 0
    case 'regex':
      return longestText - path.source.length
    case 'prefix':
      return 2 * longestText - prefixOf(path.path).length
  }
}
