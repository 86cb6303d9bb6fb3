import type { Worker } from 'node:worker_threads'
import {
  type Configuration,
  formatProblem,
  type LoadedConfiguration,
  type Snapshot,
} from '../config/index.ts'
import type { ErrorLog } from '../telemetry/error-log.ts'
import { LogExports } from '../telemetry/export/log-exports.ts'
import { CertificateOrders } from './certificates/certificate-orders.ts'
import { NameResolver } from './dns/name-resolver.ts'
import { HealthChecks } from './health-checks/health-checks.ts'
import type { NodeRedis } from './redis/node-redis.ts'
import { SessionTicketKeys } from './session-ticket-keys.ts'
import { Supervisor } from './supervisor.ts'
import { TlsFileWatcher } from './tls-file-watcher.ts'
import { readTlsMaterial } from './tls-material.ts'

export interface InForceOptions {
  /** The node's folder for what it keeps for itself. */
  readonly state: string
  readonly workers: number
  readonly errorLog: ErrorLog
  readonly redis: NodeRedis | undefined
  readonly workerScript: URL
  readonly firstWorker: Worker
  /** A file with a certificate or key is another one. */
  readonly onTlsFileChanged: () => void
}

/** The workers, and all else that goes by the configuration: one snapshot after another is put in force here. */
export class ConfigurationInForce {
  readonly supervisor: Supervisor
  readonly names: NameResolver
  readonly orders: CertificateOrders
  readonly logExports: LogExports
  readonly #healthChecks: HealthChecks
  readonly #ticketKeys: SessionTicketKeys
  readonly #tlsFiles: TlsFileWatcher
  readonly #errorLog: ErrorLog
  #warnings: ReadonlySet<string> = new Set()
  #isWhole = false

  /** Nothing is in force yet, and no worker runs. */
  constructor({ logs }: Configuration, options: InForceOptions) {
    const { state, errorLog, redis, workers, workerScript, firstWorker } = options
    this.#errorLog = errorLog
    this.#ticketKeys = new SessionTicketKeys((keys) => this.supervisor.useTicketKeys(keys))
    this.names = new NameResolver(errorLog, (name, addresses) =>
      this.supervisor.updateAddresses(new Map([[name, addresses]])),
    )
    this.supervisor = new Supervisor({ workers, logDirectory: logs.directory }, workerScript, errorLog, {
      ticketKeys: this.#ticketKeys.current,
      addresses: this.names.addresses,
      shared: redis,
      firstWorker,
    })
    this.orders = new CertificateOrders({
      state,
      redis: redis?.redis,
      errorLog,
      supervisor: this.supervisor,
      ticketKeys: this.#ticketKeys,
    })
    this.logExports = new LogExports(logs.directory, state, errorLog)
    this.#healthChecks = new HealthChecks(this.supervisor.memory, errorLog)
    this.#tlsFiles = new TlsFileWatcher(options.onTlsFileChanged)
  }

  /** Whether one is in force with all that it brings. */
  get isWhole(): boolean {
    return this.#isWhole
  }

  /** Resolves when it is in force on all workers; rejects where it was refused, and the one before still is. */
  async apply(snapshot: Snapshot, { configuration, warnings }: LoadedConfiguration): Promise<void> {
    const { supervisor, names, orders } = this
    const tls = readTlsMaterial(snapshot)
    await names.follow(snapshot)
    await orders.prepare(configuration, snapshot)
    try {
      await supervisor.apply(snapshot, tls)
    } catch (error) {
      if (supervisor.snapshot) await names.follow(supervisor.snapshot)
      throw error
    }
    this.#tlsFiles.watch(tls)
    await this.logExports.apply(configuration.logs.export)
    await orders.apply(configuration, snapshot, tls)
    this.#healthChecks.apply(snapshot)
    this.#ticketKeys.rotateEvery(snapshot.tls.ticket_rotation)
    this.#isWhole = true
    this.#logWarnings(warnings.map(formatProblem))
  }

  /** Takes no more requests; tells how long those in flight have, in milliseconds. */
  drain(): { readonly draining: true; readonly timeout: number } {
    const { drain_timeout: timeout = 0, drain_delay: delay = 0 } = this.supervisor.snapshot?.limits ?? {}
    void this.supervisor.drain(timeout, delay)
    return { draining: true, timeout: timeout + delay }
  }

  /** Changes nothing any more, and finishes the requests in flight. */
  async finish(): Promise<void> {
    await this.orders.close()
    this.#tlsFiles.close()
    this.#ticketKeys.close()
    const { snapshot } = this.supervisor
    if (
      snapshot &&
      !(await this.supervisor.drain(snapshot.limits.drain_timeout, snapshot.limits.drain_delay))
    ) {
      this.#errorLog.write('warn', 'requests were cut off: they took longer than limits.drain_timeout')
    }
    await this.#healthChecks.stop()
    this.names.close()
  }

  /** Each once, for as long as it stays. */
  #logWarnings(warnings: readonly string[]): void {
    for (const reason of warnings) {
      if (!this.#warnings.has(reason)) this.#errorLog.write('warn', 'configuration warning', { reason })
    }
    this.#warnings = new Set(warnings)
  }
}
