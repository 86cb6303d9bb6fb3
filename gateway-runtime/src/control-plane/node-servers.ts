import { once } from 'node:events'
import type { Server } from 'node:http'
import type { FastifyInstance } from 'fastify'
import type { Configuration } from '../config/index.ts'
import type { AdminApiOptions } from './admin-api/admin-api.ts'
import { adminTlsOptions } from './admin-api/tls.ts'
import { OperationalError } from './operational-error.ts'
import { createStatusServer, type StatusSource } from './status-server.ts'

/** What people and machines ask a node by: the status port, and the admin API without and with TLS. */
export class NodeServers {
  readonly #configuration: Configuration
  readonly #state: string
  readonly #source: StatusSource
  readonly #options: AdminApiOptions
  #status: Server | undefined
  #admin: readonly FastifyInstance[] = []

  /** @param state - the node's folder for what it keeps for itself */
  constructor(configuration: Configuration, state: string, source: StatusSource, options: AdminApiOptions) {
    this.#configuration = configuration
    this.#state = state
    this.#source = source
    this.#options = options
  }

  /** @throws OperationalError where a port is taken */
  async openStatus(): Promise<void> {
    const { host, port } = this.#configuration.status
    this.#status = createStatusServer(this.#source)
    this.#status.listen({ port, host, reusePort: true })
    await once(this.#status, 'listening').catch((error) =>
      explainListen(error, 'status', port, 'status.port'),
    )
  }

  /** What it takes is loaded here: requests are answered by then. @throws OperationalError where a port is taken */
  async openAdmin(): Promise<void> {
    const { admin } = this.#configuration
    const { createAdminApi } = await import('./admin-api/admin-api.ts')
    await this.#listen(await createAdminApi(this.#options), admin.host, admin.port, 'admin.port')
    if (admin.tls_port === undefined) return
    const tls = await adminTlsOptions(admin, this.#state)
    const api = await createAdminApi({ ...this.#options, tls })
    await this.#listen(api, admin.tls_host, admin.tls_port, 'admin.tls_port')
  }

  /** Frees all ports; they can be opened again. */
  async close(): Promise<void> {
    const [status, admin] = [this.#status, this.#admin]
    this.#status = undefined
    this.#admin = []
    if (status) {
      const closed = once(status, 'close')
      status.close()
      status.closeAllConnections()
      await closed
    }
    await Promise.all(admin.map((api) => api.close()))
  }

  async #listen(api: FastifyInstance, host: string, port: number, setting: string): Promise<void> {
    this.#admin = [...this.#admin, api]
    await api.listen({ host, port }).catch((error) => explainListen(error, 'admin', port, setting))
  }
}

/** Says which of the ports it was and what to do; the system's error only says EADDRINUSE. */
function explainListen(error: NodeJS.ErrnoException, what: string, port: number, setting: string): never {
  const reason =
    error.code === 'EADDRINUSE'
      ? `port ${port} is taken by another program; free it, or set ${setting} in config.yaml`
      : error.message
  throw new OperationalError(`the ${what} server cannot listen: ${reason}`, { cause: error })
}
