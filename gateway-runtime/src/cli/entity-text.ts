import type { Collection } from '../config/index.ts'
import type { Entity } from '../control-plane/admin-api/entities.ts'
import { table } from './table.ts'

type Text = (entity: Entity) => string

const text = (value: unknown): string => {
  if (value === undefined || value === null) return '-'
  if (Array.isArray(value)) return value.length === 0 ? '-' : value.map(text).join(',')
  return typeof value === 'object' ? settings(value) : String(value)
}

const settings = (value: object): string =>
  Object.entries(value)
    .map(([key, item]) => `${key}=${text(item)}`)
    .join(', ') || '-'

const key =
  (name: string): Text =>
  (entity) =>
    text(entity[name])

const targets: Text = ({ targets }) =>
  (Array.isArray(targets) ? targets : [])
    .map(({ target, weight }) => (weight === undefined ? target : `${target} (weight ${weight})`))
    .join(', ')

const whereabouts: Text = ({ url, upstream, host, port }) => {
  if (host !== undefined) return `host ${text(host)}${port === undefined ? '' : `:${text(port)}`}`
  return url === undefined ? `upstream ${text(upstream)}` : text(url)
}

/** A certificate may stand here as a whole. */
const fileOf = (certificate: unknown): string =>
  String(certificate).includes('-----BEGIN') ? 'PEM text' : text(certificate)

const columns: Readonly<Record<Collection, readonly (readonly [title: string, text: Text])[]>> = {
  services: [
    ['NAME', key('name')],
    ['WHERE', whereabouts],
    ['RETRIES', key('retries')],
    ['CONNECT', key('connect_timeout')],
    ['READ', key('read_timeout')],
  ],
  routes: [
    ['NAME', key('name')],
    ['PATHS', key('paths')],
    ['HOSTS', key('hosts')],
    ['METHODS', key('methods')],
    ['SERVICE', (route) => (route.redirect === undefined ? text(route.service) : 'redirect')],
  ],
  upstreams: [
    ['NAME', key('name')],
    ['TARGETS', targets],
    ['ALGORITHM', key('algorithm')],
  ],
  consumers: [
    ['NAME', key('name')],
    ['GROUPS', key('groups')],
    ['CREDENTIALS', ({ credentials }) => text(Object.keys(credentials ?? {}))],
  ],
  plugins: [
    ['ID', key('id')],
    ['SETTINGS', key('config')],
    ['ENABLED', ({ enabled }) => (enabled === false ? 'no' : 'yes')],
  ],
  certificates: [
    ['NAME', key('name')],
    ['HOSTS', ({ hosts }) => (hosts === undefined ? 'those in the certificate' : text(hosts))],
    ['CERTIFICATE', ({ certificate }) => fileOf(certificate)],
  ],
}

/** Entities as a table; a setting that is left out, and so has its default, is a dash. */
export function entityTable(collection: Collection, entities: readonly Entity[]): string {
  if (entities.length === 0) return `no ${collection} yet`
  const own = columns[collection]
  return table(
    own.map(([title]) => title),
    entities.map((entity) => own.map(([, textOf]) => textOf(entity))),
  )
}

/** One entity, a setting a line. */
export function entityLines(entity: Entity): string {
  const width = Math.max(...Object.keys(entity).map(({ length }) => length))
  return Object.entries(entity)
    .map(([name, value]) => `${name.padEnd(width)}  ${lineOf(name, value, entity)}`)
    .join('\n')
}

/** Of credentials only which there are: nobody looks over a shoulder. */
function lineOf(name: string, value: unknown, entity: Entity): string {
  if (name === 'targets') return targets(entity)
  return name === 'credentials' ? text(Object.keys(value ?? {})) : text(value)
}

/** What an entity does, in a few words: `/v1/api → orders`. */
export function entitySummary(collection: Collection, entity: Entity): string {
  switch (collection) {
    case 'services':
      return whereabouts(entity)
    case 'routes': {
      const { methods, hosts, paths } = entity
      const what = [methods, hosts, paths].filter((part) => Array.isArray(part) && part.length > 0)
      return `${what.map(text).join(' ')} → ${entity.redirect === undefined ? text(entity.service) : 'redirect'}`
    }
    case 'upstreams':
      return targets(entity)
    case 'certificates':
      return fileOf(entity.certificate)
    case 'consumers':
      return `groups ${text(entity.groups)}`
    case 'plugins': {
      const owners = ['route', 'service', 'consumer'].filter((owner) => entity[owner] !== undefined)
      const scope = owners.map((owner) => `${owner} ${entity[owner]}`).join(', ') || 'all routes'
      return entity.config === undefined ? scope : `${settings(entity.config as object)}, for ${scope}`
    }
  }
}
