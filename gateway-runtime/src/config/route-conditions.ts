import { ownList } from './packed-snapshot.ts'
import { remembered } from './remembered.ts'
import { isPattern, patternSource } from './route-pattern.ts'
import type { Route } from './schema.ts'
import type { CompiledRoute, PathMatcher, ValueMatcher } from './snapshot.ts'

/** What decides which requests a route gets. */
export type RouteConditions = Pick<
  CompiledRoute,
  'paths' | 'hosts' | 'methods' | 'headers' | 'query' | 'priority'
>

/** The conditions of a route as it is written. */
export const compileConditions = remembered(
  (route: Route): RouteConditions => ({
    paths: ownList(route.paths.map(compilePath)),
    hosts: ownList(route.hosts.map((host) => host.toLowerCase())),
    methods: ownList(route.methods),
    headers: ownList(
      entriesByName(route.headers).map(([name, texts]) => compileValues(name.toLowerCase(), texts)),
    ),
    query: ownList(entriesByName(route.query).map(([name, texts]) => compileValues(name, texts))),
    priority: route.priority,
  }),
)

function compilePath(text: string): PathMatcher {
  if (isPattern(text)) return { kind: 'regex', source: patternSource(text) }
  return text.startsWith('=') ? { kind: 'exact', path: text.substring(1) } : { kind: 'prefix', path: text }
}

const entriesByName = <Value>(record: Readonly<Record<string, Value>>): [string, Value][] =>
  Object.entries(record).sort(([a], [b]) => (a < b ? -1 : 1))

const compileValues = (name: string, texts: readonly string[]): ValueMatcher => ({
  name,
  values: texts.filter((text) => !isPattern(text)),
  patterns: texts.filter(isPattern).map(patternSource),
})
