import type { CompiledRoute } from '../config/snapshot.ts'

/**
 * What a target is asked for: the path of the service and that of the request, which a route may cut, with the query.
 * @param matchedLength - how much of the path the route matched: what `strip_path` cuts off
 */
export function upstreamPath(
  { stripPath, service }: Pick<CompiledRoute, 'stripPath' | 'service'>,
  { path, query }: { readonly path: string; readonly query: string },
  matchedLength: number,
): string {
  if (path === '*') return '*'
  let rest = stripPath ? path.substring(matchedLength) : path
  if (rest !== '' && rest.charCodeAt(0) !== 0x2f) rest = `/${rest}`
  return (service.path + rest || '/') + query
}
