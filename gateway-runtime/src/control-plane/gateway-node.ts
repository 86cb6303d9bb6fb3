import { existsSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import type { Worker } from 'node:worker_threads'
import type { Configuration, LoadedConfiguration, Snapshot } from '../config/index.ts'
import { stateDirectory } from '../state-directory.ts'
import type { ErrorLog } from '../telemetry/error-log.ts'
import { version } from '../version.ts'
import { adminTokenPath, openAdminToken } from './admin-api/token.ts'
import { ChangeRecord } from './change-record.ts'
import { ConfigurationInForce } from './configuration-in-force.ts'
import { type Change, ConfigurationStore } from './configuration-store.ts'
import { LogRotation } from './log-rotation.ts'
import { NodeReport, type Reloads } from './node-report.ts'
import { NodeServers } from './node-servers.ts'
import { openStore } from './open-store.ts'
import { ConfigurationAnnouncements } from './redis/configuration-announcements.ts'
import type { NodeRedis } from './redis/node-redis.ts'
import type { SharedStore } from './stores/shared-store.ts'

export interface GatewayNodeOptions {
  /** Folder of the configuration. */
  readonly folder: string
  /** The --state option, if it was given. */
  readonly stateOption: string | undefined
  /** The program of a worker thread. */
  readonly workerScript: URL
  /** A thread of that program, which was started to load while this one reads the configuration. */
  readonly firstWorker: Worker
  /**
   * Where another process hands over to this one: called when the workers listen; resolves when the admin and status
   * ports are free.
   */
  readonly takePorts?: () => Promise<void>
}

/**
 * One node of the gateway: the control plane, with the workers that it supervises. The store says what the
 * configuration is, ConfigurationInForce makes it so, ChangeRecord writes down what was changed, and NodeServers answer
 * who asks, by NodeReport. Here is in which order they begin and end.
 */
export class GatewayNode {
  readonly #options: GatewayNodeOptions
  readonly #store: ConfigurationStore
  readonly #reloads: Reloads = { accepted: 0, rejected: 0 }
  #errorLog: ErrorLog | undefined
  #shared: SharedStore | undefined
  #redis: NodeRedis | undefined
  #inForce: ConfigurationInForce | undefined
  #record: ChangeRecord | undefined
  #rotation: LogRotation | undefined
  #servers: NodeServers | undefined
  #announcements: ConfigurationAnnouncements | undefined

  constructor(options: GatewayNodeOptions) {
    this.#options = options
    this.#store = new ConfigurationStore(options.folder, {
      onSnapshot: (snapshot, loaded) => this.#apply(snapshot, loaded),
      onRejected: (error) => this.#onRejected(error),
      onChanged: (change) => this.#onChanged(change),
    })
  }

  /** Starts all parts; resolves with a line that says what listens where. Throws what keeps it from starting. */
  async start(): Promise<string> {
    const { folder, stateOption, takePorts } = this.#options
    const state = stateDirectory(stateOption, folder)
    const { errorLog, shared, lastGood } = await openStore(folder, state)
    this.#errorLog = errorLog
    this.#shared = shared
    if (shared) this.#store.useSource(shared)
    const { loaded, snapshot } = await this.#store.open(lastGood)
    const { configuration } = loaded
    const isFirstStart = !existsSync(adminTokenPath(state))
    const token = openAdminToken(state)
    this.#record = new ChangeRecord({ folder, state, logDirectory: configuration.logs.directory, errorLog })
    const { directory, rotate_bytes: largest } = configuration.logs
    if (largest !== undefined) this.#rotation = new LogRotation(directory, largest, () => this.reopenLogs())
    await this.#connectRedis(configuration, errorLog)
    const workers = configuration.workers === 'auto' ? availableParallelism() : configuration.workers
    this.#inForce = new ConfigurationInForce(configuration, {
      ...this.#options,
      state,
      workers,
      errorLog,
      redis: this.#redis,
      onTlsFileChanged: () => void this.reload(),
    })
    this.#servers = this.#newServers(configuration, state, token)
    if (!takePorts) await this.#servers.openStatus()
    await this.#apply(snapshot, loaded)
    // Beside that of the process before: a load balancer that asks for /readyz in between must find somebody.
    if (takePorts) await this.#servers.openStatus()
    await takePorts?.()
    await this.#servers.openAdmin()
    this.#record.begin(this.#store.current)
    this.#store.watch()
    // Files are those of one node; what others change is in a store of all.
    if (this.#redis && shared)
      this.#announcements = new ConfigurationAnnouncements(
        this.#redis.redis,
        () => void this.#store.lookAgain(),
      )
    errorLog.write('info', 'gateway started', { version, snapshot: snapshot.version, workers })
    const started = describeStart(configuration, workers)
    return isFirstStart
      ? `${started}\n${describeToken(adminTokenPath(state), configuration.admin.port)}`
      : started
  }

  /** Reads configuration and certificates again. A bad configuration leaves the one in force. */
  async reload(): Promise<void> {
    await this.#store.reload({ always: true })
  }

  reopenLogs(): void {
    this.#errorLog?.reopen()
    this.#record?.reopen()
    this.#inForce?.supervisor.reopenLogs()
  }

  /** Closes the admin and status ports, for a process that takes over. */
  async release(): Promise<void> {
    await this.#servers?.close()
  }

  /** Opens them again: the other process did not come up. */
  async resume(): Promise<void> {
    await this.#servers?.openStatus()
    await this.#servers?.openAdmin()
  }

  reportFailedHandOver(error: Error): void {
    this.#errorLog?.write('error', 'the new process did not take over; this one goes on', {
      reason: error.message,
    })
  }

  /** Says "not ready", finishes the requests in flight, and closes everything. */
  async stop(): Promise<void> {
    this.#announcements?.close()
    this.#rotation?.close()
    await this.#store.close()
    await this.#inForce?.finish()
    await this.#servers?.close()
    await this.#inForce?.supervisor.stop()
    await this.#redis?.close()
    this.#errorLog?.write('info', 'gateway stopped')
    await this.#inForce?.logExports.close()
    this.#errorLog?.close()
    this.#record?.close()
  }

  async #connectRedis({ redis }: Configuration, errorLog: ErrorLog): Promise<void> {
    if (!redis) return
    const { NodeRedis } = await import('./redis/node-redis.ts')
    this.#redis = new NodeRedis(redis, this.#options.folder, errorLog)
    await this.#redis.start()
  }

  #newServers(configuration: Configuration, state: string, token: string): NodeServers {
    const [store, inForce] = [this.#store, this.#inForce!]
    const { supervisor } = inForce
    const { times, history } = this.#record!
    const parts = { store, inForce, reloads: this.#reloads, redis: this.#redis, shared: this.#shared }
    const report = new NodeReport(parts)
    return new NodeServers(configuration, state, report, {
      store,
      times,
      history,
      token,
      drain: () => inForce.drain(),
      certificates: () => {
        const { loaded, snapshot } = store.current
        return inForce.orders.administration(loaded.configuration, snapshot)
      },
      commandPlugins: (plugin, command) => supervisor.commandPlugins(plugin, command),
      trace: (asked) => supervisor.traces.trace(asked, supervisor.snapshot!.listeners),
      isReady: () => supervisor.status.ready,
      status: () => report.status(),
      log: (...line) => this.#errorLog!.write(...line),
    })
  }

  async #apply(snapshot: Snapshot, loaded: LoadedConfiguration): Promise<void> {
    await this.#inForce!.apply(snapshot, loaded)
    this.#reloads.accepted++
  }

  #onChanged(change: Change): void {
    this.#record?.add(change)
    if (change.cause.author.name !== this.#shared?.name) void this.#announcements?.announce()
  }

  #onRejected(error: Error): void {
    this.#reloads.rejected++
    this.#errorLog?.write('error', 'configuration rejected; the one before stays in force', {
      reason: error.message,
    })
  }
}

const describeToken = (path: string, port: number) =>
  `The token of the admin API is in ${path}; gateway-cli finds it, other programs send it: ` +
  `curl -H "Authorization: Bearer $(cat ${path})" http://127.0.0.1:${port}/status`

function describeStart({ listeners, admin, status }: Configuration, workers: number): string {
  const ingress = listeners.map(({ protocol, host, port }) => `${protocol}://${host}:${port}`).join(', ')
  const adminPorts = admin.tls_port === undefined ? admin.port : `${admin.port} and ${admin.tls_port} (TLS)`
  return `gateway ${version} ready: ${ingress}; admin on ${adminPorts}, metrics on ${status.port}; ${workers} workers`
}
