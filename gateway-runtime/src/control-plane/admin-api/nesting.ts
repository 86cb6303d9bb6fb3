import type { Collection } from '../../config/index.ts'

/** A collection within another: those that name an owner. */
export interface Nesting {
  readonly owners: Collection
  /** The key that names the owner. */
  readonly field: 'service' | 'route' | 'consumer'
}

/** Collections that are also listed under what they belong to: /services/{owner}/routes. */
export const nested: readonly (readonly [Collection, Nesting])[] = [
  ['routes', { owners: 'services', field: 'service' }],
  ['plugins', { owners: 'services', field: 'service' }],
  ['plugins', { owners: 'routes', field: 'route' }],
  ['plugins', { owners: 'consumers', field: 'consumer' }],
]
