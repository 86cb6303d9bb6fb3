import { isMapping } from '../../../config/merge.ts'
import type { Entity } from '../entities.ts'
import { healthchecksFromApi, healthchecksToApi, isKongHealthchecks } from './healthchecks.ts'
import { others, type Shape, withoutFixed, withoutNulls } from './shape.ts'

const fixed = {
  slots: 10_000,
  host_header: null,
  client_certificate: null,
  use_srv_name: false,
  hash_on_query_arg: null,
  hash_fallback_query_arg: null,
  hash_on_uri_capture: null,
  hash_fallback_uri_capture: null,
  sticky_sessions_cookie: null,
  sticky_sessions_cookie_path: '/',
}
const shown = [
  ...['id', 'name', 'tags', 'targets', 'algorithm', 'healthchecks', 'circuit_breaker'],
  ...[
    'hash_on',
    'hash_fallback',
    'hash_on_header',
    'hash_fallback_header',
    'hash_on_cookie',
    'hash_on_cookie_path',
  ],
]

export const upstreamShape: Shape = {
  nameKey: 'name',
  minimal: { targets: [] },
  toApi({ entity, full }) {
    const { hash_on_header = null, hash_fallback_header = null, hash_on_cookie = null } = full
    return {
      algorithm: full.algorithm,
      hash_on: full.hash_on,
      hash_fallback: full.hash_fallback,
      hash_on_header,
      hash_fallback_header,
      hash_on_cookie,
      hash_on_cookie_path: full.hash_on_cookie_path,
      healthchecks: healthchecksToApi(full, entity),
      ...fixed,
      ...others(entity, shown),
    }
  },
  /** Targets are entities of their own, and stay where they are not given. */
  fromApi(body, _index, existing) {
    const { healthchecks, ...rest } = withoutNulls(withoutFixed(body, fixed))
    const targets = rest.targets ?? existing?.targets ?? []
    return { ...rest, targets, ...checksOf(healthchecks, existing) }
  },
}

function checksOf(given: unknown, existing: Entity | undefined): Entity {
  if (given === undefined) return {}
  if (!isMapping(given) || !isKongHealthchecks(given)) return { healthchecks: given }
  return healthchecksFromApi(given, existing)
}
