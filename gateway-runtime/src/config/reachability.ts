import { normalizeTarget } from '../data-plane/request-path.ts'
import type { CheckedValues } from './checks.ts'
import type { Problem, ProblemList } from './configuration-error.ts'
import { compileConditions } from './route-conditions.ts'
import { prefixOf } from './route-order.ts'
import { isPattern } from './route-pattern.ts'
import type { Route } from './schema.ts'
import { identicalRoutes, unreachableRoutes } from './unreachable-routes.ts'

const mostWarnings = 100

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
  const conditions = routes.map((route, index) => ({
    index,
    name: written[index]!.name,
    ...compileConditions(route),
  }))
  const at = ({ name, index }: { readonly name: string; readonly index: number }, message: string) => ({
    ...place(['routes', index, 'name']),
    message: `route ${JSON.stringify(name)} ${message}`,
    entity: { collection: 'routes', name },
  })
  const pairs = identicalRoutes(conditions)
  for (const [first, second] of pairs) {
    problems.add(() => {
      const { file, line, column } = place(['routes', first.index, 'name'])
      const other = `${JSON.stringify(first.name)} (${file}:${line}:${column})`
      return at(second, `asks for the same requests as ${other}, which gets them all; take one of them away`)
    })
  }
  if (pairs.length > 0) return []
  const unreachable = unreachableRoutes(conditions)
    .slice(0, mostWarnings)
    .map(({ route, by, request }) => {
      const winner = JSON.stringify(by.name)
      // The request is made of values that a reference may have brought in.
      if (request === undefined || holdsReference(written[route.index])) {
        return at(route, `is never reached: ${winner} gets all that it asks for`)
      }
      return at(
        route,
        `is never reached: ${request} goes to ${winner}, never to ${JSON.stringify(route.name)}`,
      )
    })
  return [...strangePaths(written, place), ...unreachable].slice(0, mostWarnings)
}

interface WrittenRoute {
  readonly name: string
  readonly paths?: readonly string[]
}

/** Requests are matched in the form of `normalizeTarget`: what is not in that form is never met. */
function strangePaths(routes: readonly WrittenRoute[], place: CheckedValues['place']): Problem[] {
  const problems: Problem[] = []
  for (const [index, { name, paths = [] }] of routes.entries()) {
    for (const [at, text] of paths.entries()) {
      if (isPattern(text) || holdsReference(text)) continue
      const path = text.startsWith('=') ? text.substring(1) : prefixOf(text) || '/'
      const normal = normalizeTarget(path)
      if ('path' in normal && normal.path === path) continue
      const advice = 'path' in normal ? `requests have it as ${JSON.stringify(normal.path)}` : normal.problem
      problems.push({
        ...place(['routes', index, 'paths', at]),
        message: `route ${JSON.stringify(name)}: no request has the path ${JSON.stringify(text)}: ${advice}`,
        entity: { collection: 'routes', name },
      })
      if (problems.length === mostWarnings) return problems
    }
  }
  return problems
}

const holdsReference = (route: unknown) => JSON.stringify(route).includes('${')
