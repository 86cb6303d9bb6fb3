import type { FastifyRequest } from 'fastify'
import { ConfigurationError, editEntities, type Problem } from '../../config/index.ts'
import type { Author } from '../audit-log.ts'
import { type Principal, requireScope } from './access.ts'
import type { AdminApiOptions } from './admin-api.ts'
import { type Entity, warningsSince } from './entities.ts'
import { EntityIndex } from './entity-index.ts'
import { etagOf } from './etag.ts'
import type { Plan } from './plan.ts'
import { writeKeyFile } from './private-key-files.ts'
import { RequestRefused } from './problem.ts'

/** A change that is in force. */
export interface Changed {
  readonly plan: Plan
  readonly index: EntityIndex
  /** That the change has brought. */
  readonly warnings: readonly Problem[]
}

/**
 * Makes a change of entities that a request asks for: plans it with what is there when its turn comes, and puts it in
 * force on all workers and into the files, or does none of it.
 * @param current - the entity that `If-Match` of the request is about
 */
export async function changeEntities(
  { store, log }: AdminApiOptions,
  request: FastifyRequest,
  make: (index: EntityIndex) => Plan,
  current: (index: EntityIndex) => Entity | undefined = () => undefined,
): Promise<Changed> {
  const { principal } = request
  const path = request.url.split('?')[0]!
  let plan: Plan | undefined
  let before: readonly Problem[] = []
  const brokenBefore = store.lastError instanceof ConfigurationError
  const next = await store
    .change(
      (contents, loaded) => {
        const index = EntityIndex.of(loaded)
        before = loaded.warnings
        requireMatch(request.headers['if-match'], current(index))
        plan = withKeyFiles(store, make(index))
        checkScope(principal, index, plan)
        return editEntities(contents, plan.edits)
      },
      { author: authorOf(principal), request: `${request.method} ${path}` },
    )
    .catch((error) => {
      throw brokenBefore && error instanceof ConfigurationError ? filesAreBroken(error) : error
    })
  const fields = { peer: principal.peer, caller: principal.name, request: `${request.method} ${path}` }
  log('info', 'configuration changed', { ...fields, snapshot: next.snapshot.version })
  return {
    plan: plan!,
    index: EntityIndex.of(next.loaded),
    warnings: warningsSince(before, next.loaded.warnings),
  }
}

/** Who is written into the audit log. */
export const authorOf = ({ name, role, via, peer }: Principal): Author => ({
  name,
  role,
  ...(via && { via }),
  ...(peer !== undefined && { peer }),
})

/** RFC 9110, section 13.1.1: of two who change what they read before, the second one is told. */
export function requireMatch(ifMatch: string | undefined, current: Entity | undefined): void {
  if (ifMatch === undefined) return
  const isAny = ifMatch.trim() === '*' && current !== undefined
  if (isAny || (current && ifMatch.split(',').some((tag) => tag.trim() === etagOf(current)))) return
  const advice = 'read it again, and decide anew'
  throw new RequestRefused(
    412,
    'changed-since',
    `somebody else has changed this since it was read; ${advice}`,
  )
}

function checkScope(principal: Principal, index: EntityIndex, { edits }: Plan): void {
  for (const { collection, id, entity } of edits) {
    const before = index.find(collection, id)?.entity
    requireScope(principal, collection, [before, entity as Entity | undefined])
  }
}

/** Private keys go to files of their own, which the configuration names. */
export const withKeyFiles = ({ folder, holdsKeys }: AdminApiOptions['store'], plan: Plan): Plan => ({
  ...plan,
  edits: plan.edits.map((edit) => {
    const { key } = (edit.entity ?? {}) as { readonly key?: unknown }
    const isKey =
      !holdsKeys &&
      edit.collection === 'certificates' &&
      typeof key === 'string' &&
      key.includes('-----BEGIN')
    return isKey ? { ...edit, entity: { ...edit.entity, key: writeKeyFile(folder, key) } } : edit
  }),
})

const filesAreBroken = ({ message }: ConfigurationError) =>
  new RequestRefused(409, 'files-invalid', `the files have problems already; mend them first:\n${message}`)
