import { normalizeTarget } from '../data-plane/request-path.ts'
import type { CheckedValues } from './checks.ts'
import type { Problem, ProblemList } from './configuration-error.ts'
import { compileConditions } from './route-conditions.ts'
import { prefixOf } from './route-order.ts'
import { isPattern } from './route-pattern.ts'
import type { Route } from './schema.ts'
import { identicalRoutes, unreachableRoutes } from './unreachable-routes.ts'

const mostWarnings = 100

/** A route as the files say it, with references unresolved. */
interface WrittenRoute {
  readonly name: string
  readonly paths?: readonly string[]
}

/** What is to be said of a route. */
interface Finding {
  /** Of the route. */
  readonly index: number
  /** Where it is within the route. */
  readonly keys: readonly (string | number)[]
  readonly message: string
}

/**
 * Warns of routes and paths that no request ever comes to, the first hundred. Two routes that ask for the same are a
 * problem: one of them is a mistake.
 */
export function checkReachability(
  routes: readonly Route[],
  { shown, place }: Pick<CheckedValues, 'shown' | 'place'>,
  problems: ProblemList,
): Problem[] {
  const written = (shown as { readonly routes?: readonly WrittenRoute[] }).routes ?? []
  const problemOf = ({ index, keys, message }: Finding): Problem => {
    const { name } = written[index]!
    return {
      ...place(['routes', index, ...keys]),
      message: `route ${JSON.stringify(name)} ${message}`,
      entity: { collection: 'routes', name },
    }
  }
  const conditions = routes.map((route, index) => ({
    index,
    name: written[index]!.name,
    ...compileConditions(route),
  }))
  const pairs = identicalRoutes(conditions)
  for (const [first, { index }] of pairs) {
    problems.add(() => {
      const { file, line, column } = place(['routes', first.index, 'name'])
      const other = `${JSON.stringify(first.name)} (${file}:${line}:${column})`
      const message = `asks for the same requests as ${other}, which gets them all; take one of them away`
      return problemOf({ index, keys: ['name'], message })
    })
  }
  if (pairs.length > 0) return []
  const strange = written.flatMap(({ paths = [] }, index) => strangePaths(paths, index))
  const unreachable = unreachableRoutes(conditions).map(({ route, by, request }): Finding => {
    const message = neverReached(
      route.name,
      by.name,
      holdsReference(written[route.index]) ? undefined : request,
    )
    return { index: route.index, keys: ['name'], message }
  })
  return [...strange, ...unreachable]
    .sort((a, b) => a.index - b.index)
    .slice(0, mostWarnings)
    .map(problemOf)
}

const neverReached = (name: string, winner: string, request: string | undefined): string =>
  request === undefined
    ? `is never reached: ${JSON.stringify(winner)} gets all that it asks for`
    : `is never reached: ${request} goes to ${JSON.stringify(winner)}, never to ${JSON.stringify(name)}`

/** Requests are matched in the form of `normalizeTarget`: what is not in that form is never met. */
function strangePaths(paths: readonly string[], index: number): Finding[] {
  return paths.flatMap((text, at) => {
    if (isPattern(text) || holdsReference(text)) return []
    const path = text.startsWith('=') ? text.substring(1) : prefixOf(text) || '/'
    const normal = normalizeTarget(path)
    if ('path' in normal && normal.path === path) return []
    const why = 'path' in normal ? `requests have it as ${JSON.stringify(normal.path)}` : normal.problem
    return {
      index,
      keys: ['paths', at],
      message: `has a path that no request has, ${JSON.stringify(text)}: ${why}`,
    }
  })
}

/** Messages are made of values that a reference may have brought in. */
const holdsReference = (written: unknown) => JSON.stringify(written).includes('${')
