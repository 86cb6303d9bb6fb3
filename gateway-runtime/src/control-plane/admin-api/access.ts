import { createHash, timingSafeEqual } from 'node:crypto'
import type { IncomingHttpHeaders } from 'node:http'
import { isIP } from 'node:net'
import type { TLSSocket } from 'node:tls'
import type { AdminRole, AdminSettings, Collection } from '../../config/index.ts'
import type { Author } from '../audit-log.ts'
import type { Entity } from './entities.ts'
import { RequestRefused } from './problem.ts'
import { verifyToken } from './token.ts'

/** Somebody who calls the admin API, and what they may do. */
export interface Principal extends Author {
  readonly role: AdminRole
  /** Changes are for entities with one of these tags or names; where both are left out, for all. */
  readonly tags?: readonly string[] | undefined
  readonly names?: readonly string[] | undefined
}

/** A request as it came, and by which of the two ports. */
export interface Call {
  readonly headers: IncomingHttpHeaders
  readonly peer: string
  /** Undefined on the port without TLS. */
  readonly tls: TLSSocket | undefined
}

/** Who may call, besides the owner of the token in the state folder. */
export type AccessSettings = Pick<AdminSettings, 'tokens' | 'clients' | 'hosts'>

/**
 * Refuses what a page in a browser may send: one that has its name resolve to this address is known by its Host, any
 * other by its Origin or by what the browser says of it (Fetch Metadata, Sec-Fetch-Site).
 * @throws RequestRefused
 */
export function checkSite({ headers, tls }: Call, { hosts }: AccessSettings): void {
  const { host = '', origin, 'sec-fetch-site': site = 'none' } = headers
  if (!isOwnName(host, hosts)) {
    const advice = 'call the admin API by an IP address, as localhost, or by a name of admin.hosts'
    throw new RequestRefused(403, 'host-not-allowed', advice)
  }
  const own = `${tls ? 'https' : 'http'}://${host}`
  if ((origin !== undefined && origin !== own) || (site !== 'none' && site !== 'same-origin')) {
    throw new RequestRefused(403, 'origin-not-allowed', 'pages of other sites may not call the admin API')
  }
}

function isOwnName(host: string, allowed: readonly string[]): boolean {
  const name = URL.parse(`http://${host}`)?.hostname
  if (name === undefined) return false
  const isKnown = name === 'localhost' || allowed.some((own) => own.toLowerCase() === name)
  return isKnown || isIP(name.replace(/^\[|\]$/g, '')) !== 0
}

/**
 * Finds out who calls: by the token in `Authorization: Bearer`, else by the certificate of the client.
 * @param ownToken - that of the state folder
 * @throws RequestRefused
 */
export function authenticate(call: Call, settings: AccessSettings, ownToken: string): Principal {
  const { authorization } = call.headers
  if (authorization === undefined && call.tls) {
    const principal = byCertificate(call.tls, settings)
    if (principal) return { ...principal, peer: call.peer }
  }
  const given = /^Bearer ([^\s]+)$/i.exec(authorization ?? '')?.[1]
  const principal = given === undefined ? undefined : byToken(given, settings, ownToken)
  if (principal) return { ...principal, peer: call.peer }
  const advice = 'send "Authorization: Bearer TOKEN" with the content of admin-token in the state folder'
  throw new RequestRefused(
    401,
    'unauthorized',
    `${given === undefined ? 'no' : 'not the right'} token; ${advice}`,
  )
}

/** All are compared, so that the time tells nothing of which it was. */
function byToken(given: string, { tokens }: AccessSettings, ownToken: string): Principal | undefined {
  const digest = createHash('sha256').update(given).digest()
  const matches = tokens.filter(({ sha256 }) => timingSafeEqual(digest, Buffer.from(sha256, 'hex')))
  if (verifyToken(given, ownToken)) return { name: 'admin-token', role: 'admin', via: 'token' }
  const [match] = matches
  return match && { name: match.name, role: match.role, via: 'token', tags: match.tags, names: match.names }
}

function byCertificate(socket: TLSSocket, { clients }: AccessSettings): Principal | undefined {
  const certificate = socket.getPeerX509Certificate()
  if (!certificate || !socket.authorized) return undefined
  const alternative = [...(certificate.subjectAltName ?? '').matchAll(/(?:^|, )(?:DNS|URI):([^",]+)/g)]
  const names = alternative.map(([, name]) => name!)
  const commonName = /^CN=(.*)$/m.exec(certificate.subject)?.[1]
  // RFC 9525, section 6.3: the common name counts where there is no other.
  if (names.length === 0 && commonName !== undefined) names.push(commonName)
  const match = clients.find(({ subject }) => names.includes(subject))
  if (match) {
    return { name: match.subject, role: match.role, via: 'certificate', tags: match.tags, names: match.names }
  }
  const reason = `no entry of admin.clients is for this certificate (${names.join(', ')})`
  throw new RequestRefused(403, 'certificate-not-known', reason)
}

const ranks: Readonly<Record<AdminRole, number>> = { viewer: 0, operator: 1, admin: 2 }

/** @throws RequestRefused where this takes another role, or a token without limits */
export function requireRole(principal: Principal, role: AdminRole): void {
  if (ranks[principal.role] >= ranks[role] && !(role === 'admin' && isScoped(principal))) return
  throw new RequestRefused(
    403,
    'not-permitted',
    `this takes the role ${role}${isScoped(principal) ? ' without tags and names' : ''}; ${principal.name} is ${principal.role}`,
  )
}

const isScoped = ({ tags, names }: Principal) => tags !== undefined || names !== undefined

/** Whether somebody may change an entity, and so is shown its secrets. */
export function mayChange(principal: Principal, collection: Collection, entity: Entity): boolean {
  if (ranks[principal.role] < ranks.operator) return false
  if (!isScoped(principal)) return true
  const { tags = [] } = entity as { readonly tags?: readonly string[] }
  if (Array.isArray(tags) && tags.some((tag) => principal.tags?.includes(tag))) return true
  const owners = collection === 'plugins' ? ['service', 'route', 'consumer'] : ['name']
  return owners.some((key) => {
    const owner = entity[key]
    return typeof owner === 'string' && (principal.names ?? []).some((pattern) => matches(pattern, owner))
  })
}

/** Without a regular expression: a pattern of many stars must not take long. */
function matches(pattern: string, name: string): boolean {
  const [first, ...rest] = pattern.split('*') as [string, ...string[]]
  const last = rest.pop()
  if (last === undefined) return pattern === name
  if (!name.startsWith(first) || !name.endsWith(last) || name.length < first.length + last.length)
    return false
  let position = first.length
  for (const part of rest) {
    const at = name.indexOf(part, position)
    if (at < 0 || at + part.length > name.length - last.length) return false
    position = at + part.length
  }
  return true
}

/** @throws RequestRefused where one of the entities, as they were or as they shall be, is not for this caller */
export function requireScope(
  principal: Principal,
  collection: Collection,
  entities: readonly (Entity | undefined)[],
): void {
  if (entities.every((entity) => entity === undefined || mayChange(principal, collection, entity))) return
  const { tags = [], names = [] } = principal
  const limits = [...tags.map((tag) => `tag ${tag}`), ...names.map((name) => `name ${name}`)].join(', ')
  throw new RequestRefused(
    403,
    'out-of-scope',
    `${principal.name} changes only what has ${limits}, before and after the change`,
  )
}
