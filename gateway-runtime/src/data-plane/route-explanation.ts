import { entriesInOrder, pathText, prefixOf, type RouteEntry } from '../config/route-order.ts'
import { compilePattern } from '../config/route-pattern.ts'
import type { CompiledRoute, PathMatcher } from '../config/snapshot.ts'
import { PathRewriter } from './path-rewriter.ts'
import { normalizeTarget } from './request-path.ts'
import { RequestConditions, type RoutableRequest } from './route-conditions.ts'
import { upstreamPath } from './upstream-path.ts'

/** A request as a person writes it down. */
export interface AskedRequest {
  readonly method: string
  /** `http://host:port/path?query`, or a path alone. */
  readonly url: string
  readonly headers?: Readonly<Record<string, string>>
}

/** A way into a route, and what a request meets there. */
export interface Candidate {
  readonly route: string
  /** Null for a redirect. */
  readonly service: string | null
  readonly priority: number
  /** Null for any. */
  readonly host: string | null
  /** As it is written in a configuration. */
  readonly path: string
  readonly matches: boolean
  /** The first condition that is not met: `host`, `path`, `method`, `header NAME` or `query NAME`; null where all are. */
  readonly unmet: string | null
}

/** Which route a request takes, and why. */
export interface RouteExplanation {
  /** As the routes see it: host without port, path in its normal form. */
  readonly request: {
    readonly method: string
    readonly host: string
    readonly path: string
    readonly query: string
  }
  readonly winner: {
    readonly route: string
    /** Null for a redirect; of several that a route splits its requests over, its own. */
    readonly service: string | null
    /** What the target is asked for, with the query; null where it is asked for nothing. */
    readonly upstream_path: string | null
    /** Where else requests may go, in words. */
    readonly also: readonly string[]
  } | null
  /** By precedence; where there are more than a hundred, only those whose host and path match. */
  readonly candidates: readonly Candidate[]
  /** How many others there are. */
  readonly omitted: number
}

/** A request that no route is ever asked for. */
export class RequestNotRoutable extends Error {
  override readonly name = 'RequestNotRoutable'
  readonly code = 'malformed-request'
}

const mostCandidates = 100

/**
 * Says what becomes of a request: asks every route in the order of `precedence`.
 * @throws RequestNotRoutable when the gateway would refuse it before it came to a route
 */
export function explainRoute(routes: readonly CompiledRoute[], asked: AskedRequest): RouteExplanation {
  const request = routable(asked)
  const verdicts = entriesInOrder(routes).map((entry) => judge(entry, request))
  const winner = verdicts.find(({ unmet }) => unmet === undefined)
  const near = verdicts.filter(({ unmet }) => unmet !== 'host' && unmet !== 'path')
  const shown = verdicts.length <= mostCandidates ? verdicts : near.slice(0, mostCandidates)
  const { method, host, path, query } = request
  return {
    request: { method, host, path, query },
    winner: winner ? outcome(winner, request) : null,
    candidates: shown.map(describe),
    omitted: verdicts.length - shown.length,
  }
}

function outcome({ entry: { route }, matchedLength }: Verdict, request: RoutableRequest) {
  const { service, split, mirror, rewrite, redirect } = route
  const rewriter = rewrite && new PathRewriter(rewrite, route)
  const shares = split?.services.slice(1) ?? []
  return {
    route: route.name,
    service: service?.name ?? null,
    upstream_path: service
      ? (upstreamPath({ route, service, rewriter }, request, matchedLength) ?? null)
      : null,
    also: [
      ...shares.map(({ service, percent }) => `${percent} % go to service ${service.name}`),
      ...(mirror ? [`${mirror.percent} % are copied to service ${mirror.service.name}`] : []),
      ...(redirect ? [`clients are sent elsewhere with ${redirect.status}`] : []),
    ],
  }
}

/** The request as a client would send it to this gateway. */
function routable({ method, url, headers = {} }: AskedRequest): RoutableRequest {
  if (!/^[\w!#$%&'*+.^`|~-]+$/.test(method))
    throw new RequestNotRoutable(`${JSON.stringify(method)} is no method`)
  const parts = /^(?:https?:\/\/([^/?#]+))?(.*)$/i.exec(url)!
  const target = parts[2]!.startsWith('/') || parts[1] === undefined ? parts[2]! : `/${parts[2]}`
  const normal = normalizeTarget(target)
  if ('problem' in normal) throw new RequestNotRoutable(`the gateway refuses this URL: ${normal.problem}`)
  const fields = new Map<string, string>()
  for (const [name, value] of Object.entries(headers)) fields.set(name.toLowerCase(), value)
  const authority = parts[1] ?? fields.get('host') ?? ''
  return {
    method,
    host: authority.toLowerCase().replace(/:\d*$/, ''),
    ...normal,
    header: (name) => (name === 'host' ? authority : fields.get(name)),
  }
}

interface Verdict {
  readonly entry: RouteEntry<CompiledRoute>
  readonly unmet: string | undefined
  readonly matchedLength: number
}

function judge(entry: RouteEntry<CompiledRoute>, request: RoutableRequest): Verdict {
  const { host, path, route } = entry
  if (!matchesHost(host, request.host)) return { entry, unmet: 'host', matchedLength: 0 }
  const matchedLength = matchPath(path, request.path)
  if (matchedLength === undefined) return { entry, unmet: 'path', matchedLength: 0 }
  return { entry, unmet: RequestConditions.of(route)?.firstUnmet(request), matchedLength }
}

const matchesHost = (wanted: string, host: string): boolean =>
  wanted === '' || (wanted.startsWith('*.') ? host.endsWith(wanted.substring(1)) : host === wanted)

/** How much of a path is matched; undefined where it is not. */
function matchPath(wanted: PathMatcher, path: string): number | undefined {
  if (wanted.kind === 'regex') return compilePattern(wanted.source).exec(path)?.[0].length
  if (wanted.kind === 'exact') return wanted.path === path ? path.length : undefined
  const prefix = prefixOf(wanted.path)
  return path === prefix || path.startsWith(`${prefix}/`) ? prefix.length : undefined
}

const describe = ({ entry: { route, host, path }, unmet }: Verdict): Candidate => ({
  route: route.name,
  service: route.service?.name ?? null,
  priority: route.priority,
  host: host === '' ? null : host,
  path: pathText(path),
  matches: unmet === undefined,
  unmet: unmet ?? null,
})
