import type { CompiledRoute, CompiledService } from '../config/snapshot.ts'
import type { PathRewriter } from './path-rewriter.ts'
import { hasDotSegment } from './request-path.ts'

export interface UpstreamPathSettings {
  readonly route: Pick<CompiledRoute, 'stripPath'>
  readonly service: Pick<CompiledService, 'path'>
  /** In place of `stripPath`. */
  readonly rewriter: PathRewriter | undefined
}

/**
 * What a target is asked for: the path of the service and that of the request, which a route may cut, with the query.
 * @param matchedLength - how much of the path the route matched: what `strip_path` cuts off
 * @returns undefined where what is left makes no path, or one that would leave that of the service
 */
export function upstreamPath(
  { route: { stripPath }, service, rewriter }: UpstreamPathSettings,
  { path, query }: { readonly path: string; readonly query: string },
  matchedLength: number,
): string | undefined {
  if (path === '*') return '*'
  if (rewriter) {
    const rewritten = rewriter.rewrite(path, matchedLength)
    return rewritten === undefined ? undefined : service.path + rewritten + query
  }
  let rest = stripPath ? path.substring(matchedLength) : path
  if (rest !== '' && rest.charCodeAt(0) !== 0x2f) {
    rest = `/${rest}`
    if (hasDotSegment(rest)) return undefined
  }
  return (service.path + rest || '/') + query
}
