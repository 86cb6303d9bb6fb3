import { isPattern, patternSource } from './route-pattern.ts'
import type { Route } from './schema.ts'
import type { CompiledRoute, PathMatcher, ValueMatcher } from './snapshot.ts'

/** What decides which requests a route gets. */
export type RouteConditions = Pick<
  CompiledRoute,
  'paths' | 'hosts' | 'methods' | 'headers' | 'query' | 'priority'
>

/** The conditions of a route as it is written. */
export function compileConditions(route: Route): RouteConditions {
  return {
    paths: route.paths.map(compilePath),
    hosts: route.hosts.map((host) => host.toLowerCase()),
    methods: route.methods,
    headers: Object.entries(route.headers).map(([name, texts]) => compileValues(name.toLowerCase(), texts)),
    query: Object.entries(route.query).map(([name, texts]) => compileValues(name, texts)),
    priority: route.priority,
  }
}

function compilePath(text: string): PathMatcher {
  if (isPattern(text)) return { kind: 'regex', source: patternSource(text) }
  return text.startsWith('=') ? { kind: 'exact', path: text.substring(1) } : { kind: 'prefix', path: text }
}

const compileValues = (name: string, texts: readonly string[]): ValueMatcher => ({
  name,
  values: texts.filter((text) => !isPattern(text)),
  patterns: texts.filter(isPattern).map(patternSource),
})
