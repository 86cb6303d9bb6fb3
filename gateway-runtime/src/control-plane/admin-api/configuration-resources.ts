import { isDeepStrictEqual } from 'node:util'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import {
  type Collection,
  differences,
  type FolderContents,
  type LoadedConfiguration,
  maskedChanges,
  maskSecrets,
  namedPluginFiles,
  replaceConfiguration,
} from '../../config/index.ts'
import type { Current } from '../configuration-store.ts'
import type { AdminApiOptions } from './admin-api.ts'
import { authorOf, requireMatch, withKeyFiles } from './changes.ts'
import { type Entity, objectOf, warningsSince } from './entities.ts'
import { etagOf } from './etag.ts'
import { fromKongFormat, isKongFormat } from './import/kong-format.ts'
import { RequestRefused } from './problem.ts'

type Edit = (contents: FolderContents, loaded: LoadedConfiguration) => FolderContents
type Request = FastifyRequest<{
  Params: { id: string }
  Querystring: Readonly<Record<string, string | undefined>>
}>

/**
 * The configuration as a whole: GET /config, POST /config (all of it in one step), /config/history and
 * /config/history/{id}/rollback. Both changes take `?dry_run`, `?check_hash` and `If-Match`.
 */
export function addConfigurationResources(api: FastifyInstance, options: AdminApiOptions): void {
  const { store, history } = options
  const role = 'admin' as const
  api.get('/config', async ({ principal }, reply) => {
    const { shown } = store.current.loaded
    reply.header('etag', etagOf(shown))
    return principal.role === 'viewer' || principal.tags || principal.names ? maskSecrets(shown) : shown
  })
  const { max_body_bytes: bodyLimit } = store.current.loaded.configuration.admin
  api.post('/config', { bodyLimit, config: { role } }, async (request: Request, reply) => {
    const wanted = objectOf(request.body)
    return apply(options, request, reply, (contents, loaded) =>
      replaceConfiguration(contents, loaded.shown, withKeys(store, wantedFrom(wanted))),
    )
  })
  api.post('/config/reload', async ({ principal }) => reload(options, principal))
  api.get('/config/history', async () => ({ data: history.list(), next: null }))
  api.post('/config/history/:id/rollback', { config: { role } }, async (request: Request, reply) => {
    const contents = history.contents(Number(request.params.id))
    if (!contents) {
      const known = history.list().map(({ id }) => id)
      const range = known.length === 0 ? 'there is none' : `there are ${known.at(-1)} to ${known[0]}`
      throw new RequestRefused(404, 'entity-not-found', `no configuration ${request.params.id}; ${range}`)
    }
    return apply(options, request, reply, () => contents)
  })
}

async function reload(
  { store, log }: AdminApiOptions,
  principal: FastifyRequest['principal'],
): Promise<object> {
  const before = store.current.snapshot.version
  const error = await store.reload({ always: true })
  if (error) throw error
  const { snapshot, loaded } = store.current
  const fields = { peer: principal.peer, caller: principal.name, snapshot: snapshot.version }
  log('info', 'configuration reloaded', fields)
  return { changed: snapshot.version !== before, snapshot: snapshot.version, warnings: loaded.warnings }
}

async function apply(
  { store, log }: AdminApiOptions,
  request: Request,
  reply: FastifyReply,
  edit: Edit,
): Promise<object | undefined> {
  const { principal, query } = request
  let before: LoadedConfiguration | undefined
  const checked: Edit = (contents, loaded) => {
    before = loaded
    requireMatch(request.headers['if-match'], loaded.shown as Entity)
    const after = edit(contents, loaded)
    requireSameCode(contents, after)
    return after
  }
  const answer = ({ loaded, snapshot }: Current) => ({
    changes: maskedChanges(differences(before!.shown, loaded.shown)),
    warnings: warningsSince(before!.warnings, loaded.warnings),
    snapshot: snapshot.version,
  })
  if (isOn(query.dry_run)) return { dry_run: true, ...answer(await store.preview(checked)) }
  if (isOn(query.check_hash)) {
    const { changes } = answer(await store.preview(checked))
    if (changes.length === 0) {
      reply.code(304)
      return undefined
    }
  }
  const path = request.url.split('?')[0]!
  const next = await store.change(checked, { author: authorOf(principal), request: `POST ${path}` })
  log('info', 'configuration changed', {
    peer: principal.peer,
    caller: principal.name,
    request: `POST ${path}`,
    snapshot: next.snapshot.version,
  })
  reply.code(201).header('etag', etagOf(next.loaded.shown))
  return answer(next)
}

/**
 * Files with code are named by whoever may write to the folder, and nobody else: what runs in the gateway is not for
 * its admin API to say. Looked at before anything is loaded, as loading runs them.
 * @throws RequestRefused
 */
function requireSameCode(before: FolderContents, after: FolderContents): void {
  if (isDeepStrictEqual(namedPluginFiles(before), namedPluginFiles(after))) return
  const advice = 'change plugin_files in the files of the folder, and leave it as it is here'
  throw new RequestRefused(403, 'code-not-permitted', `plugins of your own are code; ${advice}`)
}

const isOn = (value: string | undefined) => value !== undefined && value !== '0' && value !== 'false'

/** A configuration in the words of files, or in Kong's declarative format, whole or as a text under `config`. */
function wantedFrom(body: Entity): Entity {
  return isKongFormat(body) ? fromKongFormat(body) : body
}

function withKeys(store: AdminApiOptions['store'], wanted: Entity): Entity {
  const collection: Collection = 'certificates'
  const { certificates } = wanted
  if (!Array.isArray(certificates)) return wanted
  const edits = certificates.map((entity: Entity) => ({ collection, id: '', entity }))
  const { edits: written } = withKeyFiles(store, { edits, created: false })
  return { ...wanted, certificates: written.map(({ entity }) => entity) }
}
