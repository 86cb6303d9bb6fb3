import type { Entity } from '../entities.ts'
import { others, type Shape, withoutFixed, withoutNulls } from './shape.ts'

const fixed = {
  enabled: true,
  client_certificate: null,
  ca_certificates: null,
  tls_verify_depth: null,
  tls_sans: null,
}
const shown = [
  ...['id', 'name', 'tags', 'url', 'upstream', 'host', 'port', 'protocol', 'path', 'client_certificate'],
  ...['retries', 'connect_timeout', 'read_timeout', 'write_timeout', 'tls_verify'],
]
const places = ['protocol', 'host', 'port', 'path'] as const

interface Place {
  readonly protocol: string
  readonly host: string
  readonly port: number
  readonly path: string | null
}

export const serviceShape: Shape = {
  nameKey: 'name',
  minimal: { host: 'localhost' },
  toApi({ entity, full }) {
    const { retries, connect_timeout, read_timeout, write_timeout, tls_verify } = full
    return {
      ...placeOf(full),
      retries,
      connect_timeout,
      read_timeout,
      write_timeout,
      ...fixed,
      tls_verify,
      ...others(entity, shown),
    }
  },
  fromApi(body, _index, existing) {
    const { client_certificate, ...rest } = body
    // A path of a file is a setting of this gateway, a reference is Kong's.
    const own = typeof client_certificate === 'string' ? { client_certificate } : {}
    const others = typeof client_certificate === 'string' ? rest : body
    return withPlace({ ...withoutNulls(withoutFixed(others, fixed)), ...own }, existing)
  },
}

/** Where a service is, as Kong says it. */
function placeOf({ url, upstream, host, port, protocol = 'http', path }: Entity): Place {
  if (typeof url !== 'string') {
    const standard = protocol === 'https' || protocol === 'grpcs' ? 443 : 80
    return {
      protocol: String(protocol),
      host: String(host ?? upstream),
      port: Number(port ?? standard),
      path: typeof path === 'string' ? path : null,
    }
  }
  // A reference, as of an environment variable, may stand in any part, and holds a colon itself.
  const references: string[] = []
  const plain = url.replace(/\$\{[^}]*\}/g, (text) => `\0${references.push(text) - 1}\0`)
  const [, scheme = 'http', name = plain, number, rest] =
    /^([a-z]+):\/\/(\[[^\]]*\]|[^:/?#]*)(?::(\d+))?(\/.*)?$/i.exec(plain) ?? []
  const restore = (text: string) => text.replace(/\0(\d+)\0/g, (_, index) => references[Number(index)]!)
  const standard = /^(https|grpcs)$/i.test(scheme) ? 443 : 80
  return {
    protocol: scheme.toLowerCase(),
    host: restore(name),
    port: number === undefined ? standard : Number(number),
    path: rest === undefined || rest === '/' ? null : restore(rest),
  }
}

/** A service that was given a place by its parts: what it is not given, it keeps. */
function withPlace(body: Entity, existing: Entity | undefined): Entity {
  if (!places.some((key) => body[key] !== undefined) || body.url !== undefined || body.upstream !== undefined)
    return body
  const before =
    existing && (existing.url ?? existing.host ?? existing.upstream) !== undefined ? placeOf(existing) : {}
  const { protocol, host, port, path, ...rest } = { ...withoutNulls(before as Entity), ...body } as Entity
  const standard = protocol === 'https' || protocol === 'grpcs' ? 443 : 80
  return {
    ...rest,
    ...(host !== undefined && { host }),
    ...(port !== undefined && port !== standard && { port }),
    ...(protocol !== undefined && protocol !== 'http' && { protocol }),
    ...(path !== undefined && path !== '/' && { path }),
  }
}
