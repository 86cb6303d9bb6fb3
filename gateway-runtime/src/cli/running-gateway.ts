import { lookup } from 'node:dns/promises'
import type { Collection, Problem } from '../config/index.ts'
import { type Entity, entityId, getEntity, listEntities } from '../control-plane/admin-api/entities.ts'
import { etagOf } from '../control-plane/admin-api/etag.ts'
import { adminTokenPath, readAdminToken } from '../control-plane/admin-api/token.ts'
import type { AskedRequest, RouteExplanation } from '../data-plane/route-explanation.ts'
import type { AdminAddress } from './admin-address.ts'
import { CliError } from './cli-error.ts'
import type { Added, GatewayAccess, Replaced } from './gateway-access.ts'

/** Longer than the gateway gives its workers to take a configuration. */
const timeout = 20_000
const loopback: Readonly<Record<string, string>> = { '0.0.0.0': '127.0.0.1', '::': '::1' }

/** A gateway that answers on its admin API. */
export class RunningGateway implements GatewayAccess {
  readonly isRunning = true
  /** `http://127.0.0.1:8001` */
  readonly origin: string
  readonly #stateFolder: string

  private constructor(origin: string, stateFolder: string) {
    this.origin = origin
    this.#stateFolder = stateFolder
  }

  /**
   * Undefined where nothing listens.
   * @throws CliError when what listens is no gateway, or takes no command from here
   */
  static async find(address: AdminAddress, stateFolder: string): Promise<RunningGateway | undefined> {
    const gateway = new RunningGateway(await originOf(address), stateFolder)
    try {
      await gateway.request('GET', '/')
      return gateway
    } catch (error) {
      if (error instanceof ConnectionRefused) return undefined
      throw error
    }
  }

  async list(collection: Collection): Promise<readonly Entity[]> {
    return listEntities(await this.request('GET', '/config'), collection)
  }

  async get(collection: Collection, id: string): Promise<Entity> {
    return getEntity(await this.request('GET', '/config'), collection, id)
  }

  async add(collection: Collection, entity: Entity): Promise<Added> {
    const answer = await this.request('POST', `/${collection}`, entity)
    const { warnings = [] } = answer as { readonly warnings?: readonly Problem[] }
    return { entity: await this.get(collection, entityId(collection, entity)), warnings }
  }

  async update(collection: Collection, id: string, patch: Entity, base: Entity): Promise<Added> {
    const headers = { 'if-match': etagOf(base) }
    const answer = await this.request('PATCH', pathOf(collection, id), patch, headers)
    const { warnings = [] } = answer as { readonly warnings?: readonly Problem[] }
    const key = entityId(collection, { ...base, ...patch })
    return { entity: await this.get(collection, key), warnings }
  }

  async delete(collection: Collection, id: string): Promise<void> {
    await this.get(collection, id)
    await this.request('DELETE', pathOf(collection, id))
  }

  async configuration(): Promise<Entity> {
    return (await this.request('GET', '/config')) as Entity
  }

  async replace(
    wanted: Entity,
    { base, dryRun }: { readonly base: Entity; readonly dryRun: boolean },
  ): Promise<Replaced> {
    const headers = { 'if-match': etagOf(base) }
    return (await this.request('POST', dryRun ? '/config?dry_run=1' : '/config', wanted, headers)) as Replaced
  }

  async explain(request: AskedRequest): Promise<RouteExplanation> {
    return (await this.request('POST', '/routes/explain', request)) as RouteExplanation
  }

  /**
   * Sends a request to the admin API; resolves with the JSON that it answers, or undefined for an answer without.
   * @throws CliError with what the gateway says against it
   */
  async request(
    method: string,
    path: string,
    body?: unknown,
    headers: Readonly<Record<string, string>> = {},
  ): Promise<unknown> {
    const token = tryToReadToken(this.#stateFolder)
    const response = await fetch(this.origin + path, {
      method,
      redirect: 'error',
      signal: AbortSignal.timeout(timeout),
      headers: {
        ...headers,
        ...('text' in token && { authorization: `Bearer ${token.text}` }),
        ...(body !== undefined && { 'content-type': 'application/json' }),
      },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    }).catch((error) => this.#explainFailure(error))
    if ('problem' in token) throw new CliError(`a gateway listens on ${this.origin}, but ${token.problem}`)
    if (response.status === 204) return undefined
    const answer = await response.json().catch(() => undefined)
    if (response.ok && answer !== undefined) return answer
    throw this.#explainAnswer(response, answer)
  }

  #explainFailure(error: Error & { cause?: { code?: string; message?: string } }): never {
    if (error.cause?.code === 'ECONNREFUSED') {
      throw new ConnectionRefused(`gateway-service is not running: nothing listens on ${this.origin}`)
    }
    if (error.name === 'TimeoutError') {
      throw new CliError(
        `the gateway on ${this.origin} did not answer within ${timeout / 1_000} s; see its error.log`,
      )
    }
    throw new CliError(
      `the gateway on ${this.origin} cannot be reached: ${error.cause?.message ?? error.message}`,
    )
  }

  #explainAnswer(response: Response, answer: unknown): CliError {
    const { code, detail } = (answer ?? {}) as { code?: unknown; detail?: unknown }
    if (typeof detail !== 'string') {
      return new CliError(
        `what listens on ${this.origin} is not this gateway (it answered ${response.status}); set admin.port in config.yaml`,
      )
    }
    if (code !== 'unauthorized') return new CliError(detail)
    return new CliError(
      `the gateway on ${this.origin} does not take the token in ${adminTokenPath(this.#stateFolder)}: it was started with ` +
        'another state folder or configuration; say which with --state DIR or --config DIR',
    )
  }
}

/** Nothing listens: the gateway does not run. */
export class ConnectionRefused extends CliError {}

/** By address: the admin API answers to no name but localhost. */
async function originOf({ host, port }: AdminAddress): Promise<string> {
  const name = loopback[host] ?? host.replace(/^\[|\]$/g, '')
  const { address, family } = await lookup(name).catch((error) => {
    throw new CliError(`admin.host ${host} cannot be resolved: ${error.message}`)
  })
  return `http://${family === 6 ? `[${address}]` : address}:${port}`
}

const pathOf = (collection: Collection, id: string) => `/${collection}/${encodeURIComponent(id)}`

/** A token that cannot be read is no matter where no gateway runs. */
function tryToReadToken(stateFolder: string): { readonly text: string } | { readonly problem: string } {
  try {
    return { text: readAdminToken(stateFolder) }
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException
    const path = adminTokenPath(stateFolder)
    if (code === 'ENOENT') return { problem: `there is no admin token ${path}; say where with --state DIR` }
    if (code === 'EACCES') return { problem: `${path} may not be read; run this with sudo, or as its owner` }
    return { problem: message }
  }
}
