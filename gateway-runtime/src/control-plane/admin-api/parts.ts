import { randomBytes } from 'node:crypto'
import type { Collection, EntityEdit } from '../../config/index.ts'
import { EntityExists, EntityNotFound } from '../../config/index.ts'
import { isMapping } from '../../config/merge.ts'
import { hashPassword, parsePasswordHash } from '../../plugins/authentication/password-hash.ts'
import { type Entity, EntityMalformed, mergePatch } from './entities.ts'
import type { EntityIndex, EntityRecord } from './entity-index.ts'
import { derivedId } from './ids.ts'
import type { Plan } from './plan.ts'
import { withoutNulls } from './shapes/shape.ts'

/*
 * What Kong has as entities of their own and files as a part of another: targets of upstreams, server names of
 * certificates, credentials and groups of consumers.
 */

/** A kind of part: where it is, and how it is said. */
export interface PartKind {
  /** `targets`: of /upstreams/{upstream}/targets. */
  readonly path: string
  /** Where all of them are listed, such as `key-auths`; undefined: nowhere. */
  readonly all?: string
  readonly owner: Collection
  /** How a part names its owner. */
  readonly ownerField: 'upstream' | 'certificate' | 'consumer'
  /** The field that tells one from another, within its owner. */
  readonly key: string
  /** Whether the key stands once over all owners, as a server name does. */
  readonly isKeyGlobal?: boolean
  read(owner: Entity): readonly Entity[]
  /** The owner with other parts. */
  write(owner: Entity, parts: readonly Entity[]): Entity
  /** Values of fields where they are left out. */
  readonly defaults?: Entity
  /** Fields that are made at random where they are left out. */
  readonly random?: readonly string[]
  /** What has to be done to a body before it can be stored, such as hashing a password. */
  prepare?(body: Entity): Promise<Entity>
}

/** A part with its owner. */
export interface Part {
  readonly kind: PartKind
  readonly owner: EntityRecord
  readonly id: string
  readonly key: string
  readonly part: Entity
}

const listKind = (kind: Omit<PartKind, 'read' | 'write'>, list: string): PartKind => ({
  ...kind,
  read: (owner) => ((owner[list] ?? []) as readonly string[]).map((text) => ({ [kind.key]: text })),
  write: (owner, parts) => {
    const { [list]: _, ...rest } = owner
    return parts.length === 0 ? rest : { ...rest, [list]: parts.map((part) => part[kind.key]) }
  },
})

export const targetKind: PartKind = {
  path: 'targets',
  owner: 'upstreams',
  ownerField: 'upstream',
  key: 'target',
  read: ({ targets }) => (targets ?? []) as readonly Entity[],
  write: (owner, parts) => ({ ...owner, targets: parts }),
  defaults: { weight: 100 },
}

export const sniKind = listKind(
  {
    path: 'snis',
    all: 'snis',
    owner: 'certificates',
    ownerField: 'certificate',
    key: 'name',
    isKeyGlobal: true,
  },
  'hosts',
)

export const aclKind = listKind(
  { path: 'acls', all: 'acls', owner: 'consumers', ownerField: 'consumer', key: 'group' },
  'groups',
)

/** The credentials of an authentication plugin; `key` tells one from another. */
export const credentialKind = (
  plugin: string,
  key: string,
  { all = `${plugin}s`, random = [] }: { readonly all?: string; readonly random?: readonly string[] } = {},
): PartKind => ({
  path: plugin,
  all,
  random,
  owner: 'consumers',
  ownerField: 'consumer',
  key,
  read: ({ credentials }) => {
    const own = isMapping(credentials) ? credentials[plugin] : undefined
    return (Array.isArray(own) ? own : []).map((credential: Entity) =>
      // A key that is known by its hash alone is called by that.
      credential[key] === undefined && credential.hash !== undefined
        ? { [key]: credential.hash }
        : credential,
    )
  },
  write: (owner, parts) => {
    const { credentials, ...rest } = owner
    const { [plugin]: _, ...others } = isMapping(credentials) ? credentials : {}
    const own = parts.map(({ [key]: value, ...part }) =>
      plugin === 'key-auth' && /^sha256:/.test(String(value))
        ? { ...part, hash: value }
        : { [key]: value, ...part },
    )
    const all = { ...others, ...(own.length > 0 && { [plugin]: own }) }
    return Object.keys(all).length === 0 ? rest : { ...rest, credentials: all }
  },
})

/** Passwords are stored and shown as their hash. */
function basicAuthKind(): PartKind {
  const kind = credentialKind('basic-auth', 'username')
  return {
    ...kind,
    read: (owner) => kind.read(owner).map(({ hash, ...part }) => ({ ...part, password: hash })),
    write: (owner, parts) =>
      kind.write(
        owner,
        parts.map(({ password, ...part }) => ({ hash: password, ...part })),
      ),
    async prepare(body) {
      const { password } = body
      const isPlain = typeof password === 'string' && parsePasswordHash(password) === undefined
      return isPlain ? { ...body, password: await hashPassword(password) } : body
    },
  }
}

/** Every kind that there is. */
export const partKinds: readonly PartKind[] = [
  targetKind,
  sniKind,
  aclKind,
  credentialKind('key-auth', 'key', { random: ['key'] }),
  basicAuthKind(),
  credentialKind('hmac-auth', 'username', { random: ['secret'] }),
  credentialKind('jwt', 'key', { all: 'jwts', random: ['key', 'secret'] }),
]

/** The parts of one owner, or of all. */
export function partsOf(index: EntityIndex, kind: PartKind, owner?: EntityRecord): Part[] {
  const owners = owner ? [owner] : index.all(kind.owner)
  return owners
    .flatMap((owner) => kind.read(owner.entity).map((part) => describe(kind, owner, part)))
    .toSorted((a, b) => (a.id < b.id ? -1 : 1))
}

function describe(kind: PartKind, owner: EntityRecord, part: Entity): Part {
  const key = String(part[kind.key])
  return { kind, owner, key, part, id: derivedId(`${kind.path}/${kind.isKeyGlobal ? '' : owner.id}`, key) }
}

/** By id or key; undefined where it is not there. */
export const findPart = (
  index: EntityIndex,
  kind: PartKind,
  owner: EntityRecord | undefined,
  called: string,
): Part | undefined => partsOf(index, kind, owner).find(({ id, key }) => id === called || key === called)

/** @throws EntityNotFound */
export function getPart(
  index: EntityIndex,
  kind: PartKind,
  owner: EntityRecord | undefined,
  called: string,
): Part {
  const found = findPart(index, kind, owner, called)
  if (found) return found
  throw new EntityNotFound(`there is none of ${kind.path} called ${JSON.stringify(called)}`)
}

/** How a part looks in the admin API, without times. */
export const showPart = ({ kind, owner, id, part }: Part): Entity => ({
  id,
  ...kind.defaults,
  ...part,
  [kind.ownerField]: { id: owner.id },
  tags: part.tags ?? owner.entity.tags ?? null,
})

/** Adds a part. @throws EntityExists, EntityMalformed */
export function planAddPart(index: EntityIndex, kind: PartKind, owner: EntityRecord, body: Entity): Plan {
  const part = partFrom(kind, body)
  const key = String(part[kind.key])
  if (findPart(index, kind, kind.isKeyGlobal ? undefined : owner, key)) {
    throw new EntityExists(`UNIQUE violation detected on '{${kind.key}="${shownKey(kind, key)}"}'`)
  }
  return { ...written(kind, owner, [...kind.read(owner.entity), part]), key, created: true }
}

/** Makes a part what the body says; the part of another id that has its key is replaced. @throws EntityMalformed */
export function planPutPart(
  index: EntityIndex,
  kind: PartKind,
  owner: EntityRecord,
  called: string,
  body: Entity,
): Plan {
  const found = findPart(index, kind, owner, called)
  const part = partFrom(kind, { [kind.key]: found?.key, ...body })
  const key = String(part[kind.key])
  const old = found?.key ?? key
  const parts = kind.read(owner.entity)
  const isThere = parts.some((other) => String(other[kind.key]) === old)
  const next = isThere
    ? parts.map((other) => (String(other[kind.key]) === old ? part : other))
    : [...parts, part]
  return { ...written(kind, owner, next), key, created: !isThere }
}

/** @throws EntityNotFound, EntityMalformed */
export function planPatchPart(
  index: EntityIndex,
  kind: PartKind,
  owner: EntityRecord,
  called: string,
  patch: Entity,
): Plan {
  const found = getPart(index, kind, owner, called)
  return planPutPart(index, kind, owner, called, mergePatch(found.part, patch) as Entity)
}

/** What is not there stays away. */
export function planDeletePart(
  index: EntityIndex,
  kind: PartKind,
  owner: EntityRecord,
  called: string,
): Plan {
  const found = findPart(index, kind, owner, called)
  if (!found) return { edits: [], created: false }
  const left = kind.read(owner.entity).filter((part) => String(part[kind.key]) !== found.key)
  return { ...written(kind, owner, left), created: false }
}

function written(kind: PartKind, owner: EntityRecord, parts: readonly Entity[]): { edits: EntityEdit[] } {
  return { edits: [{ collection: kind.owner, id: owner.key, entity: kind.write(owner.entity, parts) }] }
}

function partFrom(kind: PartKind, body: Entity): Entity {
  const { id, created_at, updated_at, ttl, [kind.ownerField]: _, ...given } = withoutNulls(body)
  const random = (kind.random ?? []).map((field) => [field, randomBytes(24).toString('base64url')])
  const rest: Entity = { ...(given.hash === undefined && Object.fromEntries(random)), ...given }
  if (typeof rest[kind.key] !== 'string') throw new EntityMalformed(`${kind.path} need ${kind.key}, a text`)
  // Only targets have tags of their own; the others have those of their owner.
  const { tags, ...own } = rest
  const kept = kind === targetKind && Array.isArray(tags) && tags.length > 0 ? rest : own
  return kind.defaults?.weight === kept.weight ? withoutNulls({ ...kept, weight: undefined }) : kept
}

/** A key that is a secret is not told again. */
const shownKey = (kind: PartKind, key: string) =>
  kind.path === 'key-auth' || kind.path === 'jwt' ? '***' : key
