import { setTimeout as sleep } from 'node:timers/promises'
import { Worker } from 'node:worker_threads'
import { type PackedSnapshot, packSnapshot } from '../config/packed-snapshot.ts'
import type { Snapshot } from '../config/snapshot.ts'
import type { PluginMetric, SharedStore } from '../plugins/contract.ts'
import type { ErrorLog } from '../telemetry/error-log.ts'
import type {
  Addresses,
  Challenges,
  MessageFromWorker,
  MessageToWorker,
  ServerCertificate,
  TlsMaterial,
  WorkerSettings,
  WorkerStart,
} from '../worker-messages.ts'
import { OperationalError } from './operational-error.ts'
import { PluginServices } from './plugin-services.ts'
import { RequestTraces } from './request-traces.ts'
import { SharedMemoryAllocator } from './shared-memory.ts'
import { WorkerCertificates } from './worker-certificates.ts'

interface Configured {
  readonly snapshot: Snapshot
  readonly packed: PackedSnapshot
  readonly tls: TlsMaterial
}

interface Member {
  readonly index: number
  worker: Worker
  /** Version of the snapshot that it serves. */
  version: string | undefined
  deaths: number
  drained: boolean
}

export interface SupervisorStatus {
  readonly snapshot: string | undefined
  readonly ready: boolean
  readonly draining: boolean
  readonly restarts: number
  readonly workers: readonly { readonly index: number; readonly snapshot: string | undefined }[]
}

const applyTimeout = 60_000 // rules of a firewall take seconds on a busy machine, a minute on an emulated one
const traceTimeout = 5_000
const longestRestartDelay = 5_000

/** Runs the workers: gives each of them every snapshot, replaces the ones that die, ends them in order. */
export class Supervisor {
  readonly memory: SharedMemoryAllocator
  readonly traces = new RequestTraces((tokens) => this.#allowTraces(tokens))
  readonly #certificates = new WorkerCertificates(() => this.#members.map(recipientOf))
  readonly #services: PluginServices
  readonly #settings: Omit<WorkerSettings, 'index'>
  readonly #script: URL
  #firstWorker: Worker | undefined
  readonly #errorLog: ErrorLog
  readonly #addresses: Addresses
  readonly #members: Member[] = []
  readonly #waiting = new Set<(index: number, message: MessageFromWorker | 'died') => void>()
  #configured: Configured | undefined
  #ticketKeys: Uint8Array
  #draining = false
  #stopped = false
  #restarts = 0
  #tracesVersion = 0

  /**
   * @param script - the program of a worker
   * @param addresses - those of now, at any time
   * @param firstWorker - a thread of that program which was started already
   */
  constructor(
    settings: Omit<WorkerSettings, 'index'>,
    script: URL,
    errorLog: ErrorLog,
    {
      ticketKeys,
      addresses,
      shared,
      firstWorker,
    }: {
      readonly ticketKeys: Uint8Array
      readonly addresses: Addresses
      readonly shared: SharedStore | undefined
      readonly firstWorker?: Worker | undefined
    },
  ) {
    this.#ticketKeys = ticketKeys
    this.#settings = settings
    this.#script = script
    this.#firstWorker = firstWorker
    this.#errorLog = errorLog
    this.#addresses = addresses
    this.memory = new SharedMemoryAllocator(settings.workers)
    this.#services = new PluginServices(
      this.memory,
      errorLog,
      settings.workers,
      shared,
      (plugin, message) => {
        for (const { worker } of this.#members) post(worker, { type: 'plugin-broadcast', plugin, message })
      },
    )
  }

  get status(): SupervisorStatus {
    const snapshot = this.#configured?.snapshot.version
    const workers = this.#members.map(({ index, version }) => ({ index, snapshot: version }))
    const hold = workers.length > 0 && workers.every((worker) => worker.snapshot === snapshot)
    return {
      snapshot,
      workers,
      ready: snapshot !== undefined && hold && !this.#draining,
      draining: this.#draining,
      restarts: this.#restarts,
    }
  }

  /** What services of plugins show of themselves. */
  get pluginMetrics(): readonly PluginMetric[] {
    return this.#services.metrics
  }

  get snapshot(): Snapshot | undefined {
    return this.#configured?.snapshot
  }

  /**
   * Puts a snapshot in force on every worker; resolves when all hold it. Where one refuses it (a port that is
   * taken), all go back to the one before, and the promise is rejected with the reason.
   */
  async apply(snapshot: Snapshot, tls: TlsMaterial): Promise<void> {
    const before = this.#configured
    const takeBackMemory = this.memory.prepare(snapshot)
    const services = this.#prepareServices(snapshot, takeBackMemory)
    this.#configured = { snapshot, packed: packSnapshot(snapshot), tls }
    if (this.#members.length === 0) this.#startAll()
    try {
      await this.#distribute(this.#configured)
    } catch (error) {
      this.#configured = before
      if (before) {
        takeBackMemory()
        await this.#distribute(before).catch(() => {})
      }
      services.takeBack()
      throw error
    }
    services.commit()
  }

  #prepareServices(snapshot: Snapshot, takeBackMemory: () => void) {
    try {
      return this.#services.prepare(snapshot)
    } catch (error) {
      takeBackMemory()
      throw new OperationalError(`a plugin cannot start: ${(error as Error).message}`, { cause: error })
    }
  }

  /** See PluginServices.command. */
  commandPlugins(plugin: string, command: unknown): Promise<unknown[]> {
    return this.#services.command(plugin, command)
  }

  /** Session tickets are encrypted with these keys from now on. */
  useTicketKeys(ticketKeys: Uint8Array): void {
    this.#ticketKeys = ticketKeys
    for (const { worker } of this.#members) post(worker, { type: 'ticket-keys', ticketKeys })
  }

  /** Shows these certificates besides those of the configuration, which come first, from now on. */
  useOrderedCertificates(certificates: readonly ServerCertificate[]): void {
    this.#certificates.show(certificates, this.#configured?.tls.certificates)
  }

  /** Hosts for which every worker shows one of the ordered certificates. */
  get shownHosts(): ReadonlySet<string> {
    return this.#certificates.shownHosts
  }

  /** Answers challenges so; resolves when every worker does. Rejected where one does not in time. */
  answerChallenges(challenges: Challenges): Promise<void> {
    return this.#certificates.answer(challenges)
  }

  /** Tells the workers that the addresses of these names are others now. */
  updateAddresses(addresses: Addresses): void {
    for (const { worker } of this.#members) post(worker, { type: 'addresses', addresses })
  }

  reopenLogs(): void {
    for (const { worker } of this.#members) post(worker, { type: 'reopen-logs' })
  }

  /**
   * Says "not ready", and after `delay` (ms) takes no new connections; resolves when all requests are answered, or when
   * `timeout` (ms) is over.
   */
  async drain(timeout: number, delay: number): Promise<boolean> {
    this.#draining = true
    if (delay > 0) await sleep(delay)
    const drained = this.#until(
      () => this.#members.every((member) => member.drained),
      timeout,
      'requests were still in flight',
    )
    for (const { worker } of this.#members) post(worker, { type: 'drain' })
    return drained.then(
      () => true,
      () => false,
    )
  }

  async stop(): Promise<void> {
    this.#stopped = true
    await Promise.all(
      this.#members.map(async ({ worker }) => {
        const ended = new Promise((resolve) => worker.once('exit', resolve))
        post(worker, { type: 'stop' })
        const timer = setTimeout(() => void worker.terminate(), 1_000)
        await ended
        clearTimeout(timer)
      }),
    )
    await this.#services.stop()
  }

  #startAll(): void {
    for (let index = 0; index < this.#settings.workers; index++) {
      const worker = this.#spawn(index)
      this.#members.push({ index, worker, version: undefined, deaths: 0, drained: false })
    }
  }

  #spawn(index: number): Worker {
    const settings: WorkerSettings = { ...this.#settings, index }
    const metrics = this.memory.metrics[index]!
    const worker = this.#firstWorker ?? new Worker(this.#script, { name: `worker-${index}` })
    this.#firstWorker = undefined
    worker.postMessage({ settings, metrics } satisfies WorkerStart)
    this.#certificates.greet(recipientOf({ index, worker }))
    worker.on('message', (message: MessageFromWorker) => this.#onMessage(index, message))
    worker.on('error', (error) => this.#onError(index, error))
    worker.on('exit', () => this.#onExit(index))
    return worker
  }

  async #distribute(configured: Configured): Promise<void> {
    const { version } = configured.snapshot
    let refused: string | undefined
    const settled = this.#until(
      (_index, message) => {
        if (typeof message === 'object' && message.type === 'refused' && message.version === version) {
          refused = message.reason
        }
        return refused !== undefined || this.#members.every((member) => member.version === version)
      },
      applyTimeout,
      'a worker did not take the configuration',
    )
    for (const member of this.#members) this.#send(member, configured)
    await settled
    if (refused !== undefined) throw new OperationalError(refused)
  }

  /** Resolves when every worker knows the tokens: a request may well be faster than a message. */
  #allowTraces(tokens: readonly string[]): Promise<void> {
    const version = ++this.#tracesVersion
    const waiting = new Set(this.#members.map(({ index }) => index))
    const allowed = this.#until(
      (index, message) => {
        if (message === 'died' || (message.type === 'traces-allowed' && message.version === version))
          waiting.delete(index)
        return waiting.size === 0
      },
      traceTimeout,
      'a worker did not get ready to trace',
    )
    for (const { worker } of this.#members) post(worker, { type: 'traces', version, tokens })
    return allowed
  }

  #send(member: Member, { packed, tls }: Configured): void {
    member.version = undefined
    const memory = this.memory.forWorker(member.index)
    const certificates = [...tls.certificates, ...this.#certificates.ordered]
    post(member.worker, {
      type: 'snapshot',
      snapshot: packed,
      tls: { ...tls, certificates },
      certificatesVersion: this.#certificates.version,
      ticketKeys: this.#ticketKeys,
      memory,
      addresses: this.#addresses,
      broadcasts: this.#services.broadcasts,
    })
  }

  /** Resolves when `isDone` says so after a message of a worker. */
  #until(
    isDone: (index: number, message: MessageFromWorker | 'died') => boolean,
    timeout: number,
    reason: string,
  ): Promise<void> {
    return new Promise((resolve, reject) => {
      const end = (act: () => void) => {
        clearTimeout(timer)
        this.#waiting.delete(listener)
        act()
      }
      const listener = (index: number, message: MessageFromWorker | 'died') => {
        if (isDone(index, message)) end(resolve)
      }
      const timer = setTimeout(() => end(() => reject(new Error(`${reason} within ${timeout} ms`))), timeout)
      this.#waiting.add(listener)
    })
  }

  #onMessage(index: number, message: MessageFromWorker): void {
    const member = this.#members[index]!
    if (message.type === 'plugin-call') {
      const { plugin, call } = message
      const { worker } = member
      void this.#services
        .onCall(plugin, message.message)
        .then((answer) => post(worker, { type: 'plugin-answer', call, ...answer }))
      return
    }
    if (message.type === 'traced') return this.traces.onTraced(message.traced)
    if (message.type === 'taken') return this.#certificates.onTaken(index, message)
    if (message.type === 'applied') {
      member.version = message.version
      member.deaths = 0
    }
    if (message.type === 'drained') member.drained = true
    if (message.type === 'refused') {
      this.#errorLog.write('error', 'worker refused the configuration', {
        worker: index,
        reason: message.reason,
      })
    }
    for (const listener of [...this.#waiting]) listener(index, message)
  }

  #onError(index: number, error: unknown): void {
    const reason = error instanceof Error ? (error.stack ?? error.message) : String(error)
    this.#errorLog.write('error', 'worker failed', { worker: index, reason })
  }

  #onExit(index: number): void {
    if (this.#stopped) return
    const member = this.#members[index]!
    member.version = undefined
    member.drained = this.#draining
    this.memory.onWorkerDeath(index)
    this.#certificates.onDeath(index)
    this.#errorLog.write('error', 'worker died', { worker: index })
    for (const listener of [...this.#waiting]) listener(index, 'died')
    if (this.#draining) return
    const delay = Math.min(member.deaths++ * 250, longestRestartDelay)
    setTimeout(() => this.#replace(member), delay)
  }

  #replace(member: Member): void {
    if (this.#stopped || this.#draining || !this.#configured) return
    this.#restarts++
    member.worker = this.#spawn(member.index)
    this.#send(member, this.#configured)
  }
}

const recipientOf = ({ index, worker }: Pick<Member, 'index' | 'worker'>) => ({
  index,
  post: (message: MessageToWorker) => post(worker, message),
})

const post = (worker: Worker, message: MessageToWorker): void => worker.postMessage(message)
