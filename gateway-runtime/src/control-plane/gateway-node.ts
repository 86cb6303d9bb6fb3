import { once } from 'node:events'
import { existsSync, mkdirSync } from 'node:fs'
import type { Server } from 'node:http'
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import type { Worker } from 'node:worker_threads'
import type { FastifyInstance } from 'fastify'
import {
  type Configuration,
  differences,
  type EntityChange,
  type FolderContents,
  formatProblem,
  type LoadedConfiguration,
  loadConfiguration,
  maskedChanges,
  type Snapshot,
} from '../config/index.ts'
import { readCircuit } from '../data-plane/upstreams/circuit-breaker.ts'
import { TargetHealth } from '../data-plane/upstreams/health.ts'
import { stateDirectory } from '../state-directory.ts'
import { ErrorLog } from '../telemetry/error-log.ts'
import { LogExports } from '../telemetry/export/log-exports.ts'
import { version } from '../version.ts'
import type { TlsMaterial } from '../worker-messages.ts'
import { describeCertificate } from './admin-api/certificate-resources.ts'
import { EntityIndex } from './admin-api/entity-index.ts'
import { sweepKeyFiles } from './admin-api/private-key-files.ts'
import { adminTlsOptions } from './admin-api/tls.ts'
import { adminTokenPath, openAdminToken } from './admin-api/token.ts'
import { AuditLog } from './audit-log.ts'
import { needsCertificates } from './certificates/needs-certificates.ts'
import type { NodeCertificates } from './certificates/open-certificates.ts'
import type { CertificateState } from './certificates/ordered-certificates.ts'
import { wantedDomains } from './certificates/wanted-domains.ts'
import { type Cause, type Change, ConfigurationStore, type Current } from './configuration-store.ts'
import type { NameState } from './dns/followed-name.ts'
import { NameResolver } from './dns/name-resolver.ts'
import { EntityTimes } from './entity-times.ts'
import { HealthChecks, isWatched } from './health-checks/health-checks.ts'
import { History } from './history.ts'
import { renderMetrics } from './metrics-text.ts'
import { OperationalError } from './operational-error.ts'
import { ConfigurationAnnouncements } from './redis/configuration-announcements.ts'
import type { NodeRedis } from './redis/node-redis.ts'
import type { AskedTrace } from './request-traces.ts'
import { SessionTicketKeys } from './session-ticket-keys.ts'
import { createStatusServer } from './status-server.ts'
import { openSharedStore, type SharedStore } from './stores/shared-store.ts'
import { Supervisor } from './supervisor.ts'
import { TlsFileWatcher } from './tls-file-watcher.ts'
import { readTlsMaterial } from './tls-material.ts'

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

/** One node of the gateway: the control plane, with the workers that it supervises. */
export class GatewayNode {
  readonly #options: GatewayNodeOptions
  readonly #store: ConfigurationStore
  readonly #reloads = { accepted: 0, rejected: 0, lastSucceeded: true }
  readonly #startedAt = new Date()
  #warnings: ReadonlySet<string> = new Set()
  readonly #ticketKeys = new SessionTicketKeys((keys) => this.#supervisor?.useTicketKeys(keys))
  readonly #tlsFiles = new TlsFileWatcher(() => void this.reload())
  #errorLog: ErrorLog | undefined
  #auditLog: AuditLog | undefined
  #times: EntityTimes | undefined
  #history: History | undefined
  #logExports: LogExports | undefined
  #shared: SharedStore | undefined
  #announcements: ConfigurationAnnouncements | undefined
  #lastGood: FolderContents | undefined
  #supervisor: Supervisor | undefined
  #healthChecks: HealthChecks | undefined
  #names: NameResolver | undefined
  #redis: NodeRedis | undefined
  #state = ''
  #showsCertificates = false
  #ordered: NodeCertificates | undefined
  #opening: Promise<NodeCertificates> | undefined
  #admin: readonly FastifyInstance[] = []
  #status: Server | undefined
  #openAgain = async () => {}

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
    const { folder, stateOption } = this.#options
    this.#errorLog = await this.#chooseStore()
    const { loaded, snapshot } = await this.#store.open(this.#lastGood)
    const { configuration } = loaded
    this.#auditLog = new AuditLog(configuration.logs.directory)
    const state = stateDirectory(stateOption, folder)
    const isFirstStart = !existsSync(adminTokenPath(state))
    const token = openAdminToken(state)
    this.#times = new EntityTimes(state)
    this.#history = new History(state)
    this.#logExports = new LogExports(configuration.logs.directory, state, this.#errorLog)
    const workers = configuration.workers === 'auto' ? availableParallelism() : configuration.workers
    const settings = { workers, logDirectory: configuration.logs.directory }
    this.#names = new NameResolver(this.#errorLog, (name, addresses) =>
      this.#supervisor?.updateAddresses(new Map([[name, addresses]])),
    )
    await this.#connectRedis(configuration)
    this.#supervisor = new Supervisor(settings, this.#options.workerScript, this.#errorLog, {
      ticketKeys: this.#ticketKeys.current,
      addresses: this.#names.addresses,
      shared: this.#redis,
      firstWorker: this.#options.firstWorker,
    })
    this.#state = state
    this.#healthChecks = new HealthChecks(this.#supervisor.memory, this.#errorLog)
    const { takePorts } = this.#options
    if (!takePorts) await this.#startStatusServer(configuration)
    await this.#apply(snapshot, loaded)
    await takePorts?.()
    if (takePorts) await this.#startStatusServer(configuration)
    await this.#startAdminApi(configuration, token, state)
    if (!this.#history.endsWith(this.#store.current.contents))
      this.#remember(this.#store.current, { author: { name: 'files' } }, [])
    this.#openAgain = async () => {
      await this.#startStatusServer(configuration)
      await this.#startAdminApi(configuration, token, state)
    }
    this.#store.watch()
    // Files are those of one node; what others change is in a store of all.
    if (this.#redis && this.#shared)
      this.#announcements = new ConfigurationAnnouncements(
        this.#redis.redis,
        () => void this.#store.lookAgain(),
      )
    this.#errorLog.write('info', 'gateway started', { version, snapshot: snapshot.version, workers })
    const started = describeStart(configuration, workers)
    return isFirstStart
      ? `${started}\n${describeToken(adminTokenPath(state), configuration.admin.port)}`
      : started
  }

  /** By the files of the folder, which say where entities are. */
  async #chooseStore(): Promise<ErrorLog> {
    const { folder, stateOption } = this.#options
    const state = stateDirectory(stateOption, folder)
    this.#lastGood = lastContents(state)
    const { logs, store, postgres, s3 } = this.#readSettings(folder)
    const errorLog = openErrorLog(logs.directory)
    if (store === 'files') return errorLog
    mkdirSync(state, { recursive: true, mode: 0o700 })
    this.#shared = await openSharedStore(store, { folder, state, postgres, s3 }, errorLog)
    this.#store.useSource(this.#shared)
    return errorLog
  }

  async #connectRedis({ redis }: Configuration): Promise<void> {
    if (!redis) return
    const { NodeRedis } = await import('./redis/node-redis.ts')
    this.#redis = new NodeRedis(redis, this.#options.folder, this.#errorLog!)
    await this.#redis.start()
  }

  /** Of the files, or where these are gone or wrong, of what was in force last. */
  #readSettings(folder: string): Configuration {
    try {
      return loadConfiguration(folder).configuration
    } catch (error) {
      if (!this.#lastGood) throw error
      return loadConfiguration(folder, { contents: this.#lastGood, keyTexts: true }).configuration
    }
  }

  /** Reads configuration and certificates again. A bad configuration leaves the one in force. */
  async reload(): Promise<void> {
    await this.#store.reload({ always: true })
  }

  reopenLogs(): void {
    this.#errorLog?.reopen()
    this.#auditLog?.reopen()
    this.#supervisor?.reopenLogs()
  }

  /** Closes the admin and status ports, for a process that takes over. */
  async release(): Promise<void> {
    const status = this.#status
    if (status) {
      const closed = once(status, 'close')
      status.close()
      status.closeAllConnections()
      await closed
    }
    this.#status = undefined
    await Promise.all(this.#admin.map((api) => api.close()))
    this.#admin = []
  }

  /** Opens them again: the other process did not come up. */
  resume(): Promise<void> {
    return this.#openAgain()
  }

  reportFailedHandOver(error: Error): void {
    this.#errorLog?.write('error', 'the new process did not take over; this one goes on', {
      reason: error.message,
    })
  }

  /** Says "not ready", finishes the requests in flight, and closes everything. */
  async stop(): Promise<void> {
    this.#announcements?.close()
    await this.#store.close()
    await this.#ordered?.certificates.close()
    this.#tlsFiles.close()
    this.#ticketKeys.close()
    const supervisor = this.#supervisor
    const timeout = supervisor?.snapshot?.limits.drain_timeout ?? 0
    if (supervisor?.snapshot && !(await supervisor.drain(timeout))) {
      this.#errorLog?.write('warn', 'requests were cut off: they took longer than limits.drain_timeout')
    }
    await this.#healthChecks?.stop()
    this.#names?.close()
    await Promise.all(this.#admin.map((api) => api.close()))
    this.#status?.close()
    this.#status?.closeAllConnections()
    await supervisor?.stop()
    await this.#redis?.close()
    this.#errorLog?.write('info', 'gateway stopped')
    await this.#logExports?.close()
    this.#errorLog?.close()
    this.#auditLog?.close()
    this.#times?.close()
  }

  /** Opened when it is first needed. */
  #openCertificates(configuration: Configuration, first: Snapshot): Promise<NodeCertificates> {
    this.#opening ??= this.#loadCertificates(configuration, first)
    return this.#opening
  }

  async #loadCertificates(configuration: Configuration, first: Snapshot): Promise<NodeCertificates> {
    const supervisor = this.#supervisor!
    const current = () => supervisor.snapshot ?? first
    const { openCertificates } = await import('./certificates/open-certificates.ts')
    this.#ordered = await openCertificates({
      ...configuration,
      state: this.#state,
      redis: this.#redis?.redis,
      log: this.#errorLog!,
      dnsServers: () => current().dns.servers,
      ticketRotation: () => current().tls.ticket_rotation,
      users: {
        show: (certificates) => supervisor.useOrderedCertificates(certificates),
        answerChallenges: (challenges) => supervisor.answerChallenges(challenges),
        useTicketKeys: (keys) => this.#ticketKeys.useShared(keys),
      },
    })
    await this.#ordered.certificates.open()
    return this.#ordered
  }

  get #certificateStates(): readonly CertificateState[] {
    return this.#ordered?.certificates.states ?? []
  }

  async #apply(snapshot: Snapshot, { configuration, warnings }: LoadedConfiguration): Promise<void> {
    const supervisor = this.#supervisor!
    const tls = readTlsMaterial(snapshot)
    await this.#names!.follow(snapshot)
    // Before anybody can ask this node for what a certificate authority was told by another.
    if (needsCertificates(configuration, this.#state)) await this.#openCertificates(configuration, snapshot)
    try {
      await supervisor.apply(snapshot, tls)
    } catch (error) {
      if (supervisor.snapshot) await this.#names!.follow(supervisor.snapshot)
      throw error
    }
    this.#tlsFiles.watch(tls)
    await this.#logExports!.apply(configuration.logs.export)
    await this.#orderCertificates(snapshot, configuration, tls)
    this.#showsCertificates = true
    this.#healthChecks!.apply(snapshot)
    this.#ticketKeys.rotateEvery(snapshot.tls.ticket_rotation)
    this.#reloads.accepted++
    this.#reloads.lastSucceeded = true
    this.#logWarnings(warnings.map(formatProblem))
  }

  async #orderCertificates(
    snapshot: Snapshot,
    configuration: Configuration,
    tls: TlsMaterial,
  ): Promise<void> {
    const { acme } = configuration
    if (!this.#ordered && !needsCertificates(configuration, this.#state)) return
    const { domains, wildcards } = acme
      ? wantedDomains(acme, snapshot, tls.certificates)
      : { domains: [], wildcards: [] }
    if (wildcards.length > 0) {
      const hosts = wildcards.slice(0, 10).join(', ')
      this.#errorLog!.write('warn', 'no certificate is ordered for wildcard hosts: acme.dns is not set', {
        hosts,
      })
    }
    const { certificates } = await this.#openCertificates(configuration, snapshot)
    await certificates.apply(acme, domains)
  }

  /** Each once, for as long as it stays. */
  #logWarnings(warnings: readonly string[]): void {
    for (const reason of warnings) {
      if (!this.#warnings.has(reason)) this.#errorLog?.write('warn', 'configuration warning', { reason })
    }
    this.#warnings = new Set(warnings)
  }

  #onChanged({ before, after, cause }: Change): void {
    const changes = differences(before.loaded.shown, after.loaded.shown)
    this.#times?.note(changes, EntityIndex.of(before.loaded), EntityIndex.of(after.loaded))
    this.#auditLog?.write({ ...cause, changes, snapshot: after.snapshot.version })
    this.#remember(after, cause, changes)
    if (cause.author.name !== this.#shared?.name) void this.#announcements?.announce()
  }

  /** Into the history; a full disk costs the entry and not the change. */
  #remember({ contents, snapshot }: Current, cause: Cause, changes: readonly EntityChange[]): void {
    try {
      const entry = { ...cause, changes: maskedChanges(changes), snapshot: snapshot.version }
      this.#history!.add(entry, contents)
      if (changes.some(({ entity }) => entity.startsWith('certificates/')))
        sweepKeyFiles(this.#store.folder, this.#history!.texts())
    } catch (error) {
      this.#errorLog?.write('error', 'configuration not kept in the history', { reason: String(error) })
    }
  }

  #drain(): object {
    const supervisor = this.#supervisor!
    const timeout = supervisor.snapshot?.limits.drain_timeout ?? 0
    void supervisor.drain(timeout)
    return { draining: true, timeout }
  }

  #onRejected(error: Error): void {
    this.#reloads.rejected++
    this.#reloads.lastSucceeded = false
    this.#errorLog?.write('error', 'configuration rejected; the one before stays in force', {
      reason: error.message,
    })
  }

  async #startStatusServer({ status }: Configuration): Promise<void> {
    this.#status = createStatusServer({
      metrics: () => this.#metrics(),
      readiness: () => {
        const { ready, draining } = this.#supervisor!.status
        return {
          // With all that the first configuration brings.
          ready: ready && this.#reloads.accepted > 0 && this.#showsCertificates,
          reason: draining ? 'draining' : 'not all workers hold the configuration yet',
          missing: this.#certificateStates.flatMap(({ domain, authority }) => (authority ? [] : [domain])),
        }
      },
    })
    this.#status.listen(status.port, status.host)
    await once(this.#status, 'listening').catch((error) =>
      explainListen(error, 'status', status.port, 'status.port'),
    )
  }

  /** What it takes is loaded here: requests are answered by then. */
  async #startAdminApi({ admin }: Configuration, token: string, state: string): Promise<void> {
    const { createAdminApi } = await import('./admin-api/admin-api.ts')
    const options = {
      store: this.#store,
      times: this.#times!,
      history: this.#history!,
      drain: () => this.#drain(),
      certificates: async () => {
        const { loaded, snapshot } = this.#store.current
        return (await this.#openCertificates(loaded.configuration, snapshot)).administration
      },
      commandPlugins: (plugin: string, command: unknown) => this.#supervisor!.commandPlugins(plugin, command),
      token,
      trace: (asked: AskedTrace) =>
        this.#supervisor!.traces.trace(asked, this.#supervisor!.snapshot!.listeners),
      isReady: () => this.#supervisor!.status.ready,
      status: () => this.#describeStatus(),
      log: (...line: Parameters<ErrorLog['write']>) => this.#errorLog!.write(...line),
    }
    await this.#listen(await createAdminApi(options), admin.host, admin.port, 'admin.port')
    if (admin.tls_port === undefined) return
    const tls = await adminTlsOptions(admin, state)
    await this.#listen(
      await createAdminApi({ ...options, tls }),
      admin.tls_host,
      admin.tls_port,
      'admin.tls_port',
    )
  }

  async #listen(api: FastifyInstance, host: string, port: number, setting: string): Promise<void> {
    this.#admin = [...this.#admin, api]
    await api.listen({ host, port }).catch((error) => explainListen(error, 'admin', port, setting))
  }

  #metrics(): string {
    const supervisor = this.#supervisor!
    const { workers, restarts } = supervisor.status
    const facts = {
      version,
      workers: workers.length,
      workerRestarts: restarts,
      reloads: this.#reloads,
      names: this.#names!.states,
      redis: this.#redis?.facts,
      certificates: this.#certificateStates,
      plugins: supervisor.pluginMetrics,
      logExports: this.#logExports!.states,
    }
    return renderMetrics(supervisor.memory, supervisor.snapshot, facts)
  }

  #describeStatus(): object {
    const supervisor = this.#supervisor!
    const names = this.#names!.states
    const targets = supervisor.snapshot?.upstreams.flatMap((upstream) =>
      upstream.targets.map(({ id, host, port }) => {
        const state = supervisor.memory.targets.get(id)!
        return {
          upstream: upstream.name,
          target: `${host}:${port}`,
          circuit: readCircuit(state).state,
          health: isWatched(upstream) ? new TargetHealth(state).state : null,
          ...describeName(names.get(host)),
        }
      }),
    )
    return {
      version,
      started_at: this.#startedAt.toISOString(),
      ...supervisor.status,
      configuration: {
        folder: this.#options.folder,
        store: this.#shared?.name ?? 'files',
        store_reachable: this.#shared?.isReachable ?? true,
        error: this.#store.lastError?.message ?? null,
        warnings: this.#store.current.loaded.warnings,
      },
      targets,
      redis: this.#redis?.facts ?? null,
      log_exports: this.#logExports!.states.map(({ backlogBytes, problem, ...state }) => ({
        ...state,
        backlog_bytes: backlogBytes,
        problem: problem ?? null,
      })),
      certificates: this.#certificateStates.map(describeCertificate),
    }
  }
}

/** What is said of a target that has a name. */
const describeName = (state: NameState | undefined) =>
  state && { addresses: state.addresses, dns_error: state.problem ?? null }

/** The texts of the newest entry of the history; undefined before the first start. */
function lastContents(state: string): FolderContents | undefined {
  if (!existsSync(join(state, 'history'))) return undefined
  const history = new History(state)
  const [last] = history.list()
  return last && history.contents(last.id)
}

function openErrorLog(directory: string): ErrorLog {
  try {
    return new ErrorLog(directory)
  } catch (error) {
    const reason = `cannot write logs: ${(error as Error).message}; set logs.directory in config.yaml`
    throw new OperationalError(reason, { cause: error })
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

const describeToken = (path: string, port: number) =>
  `The token of the admin API is in ${path}; gateway-cli finds it, other programs send it: ` +
  `curl -H "Authorization: Bearer $(cat ${path})" http://127.0.0.1:${port}/status`

function describeStart(
  { listeners, admin, status }: LoadedConfiguration['configuration'],
  workers: number,
): string {
  const ingress = listeners.map(({ protocol, host, port }) => `${protocol}://${host}:${port}`).join(', ')
  const adminPorts = admin.tls_port === undefined ? admin.port : `${admin.port} and ${admin.tls_port} (TLS)`
  return `gateway ${version} ready: ${ingress}; admin on ${adminPorts}, metrics on ${status.port}; ${workers} workers`
}
