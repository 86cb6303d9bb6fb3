import { pluginsOf } from '../config/plugin-chain.ts'
import type { CompiledPlugin, Snapshot } from '../config/snapshot.ts'
import type { PluginMetric, PluginService, SharedStore } from '../plugins/contract.ts'
import { plugins } from '../plugins/registry.ts'
import type { ErrorLog } from '../telemetry/error-log.ts'
import type { PluginAnswer } from '../worker-messages.ts'
import type { SharedMemoryAllocator } from './shared-memory.ts'

/** Of a plugin, from its key, which begins with its id. */
const nameOf = (key: string) => key.slice(0, key.lastIndexOf(' ')).split('/').at(-1)

/** Runs the parts of plugins that are one for the node: each while a snapshot in force has its configuration. */
export class PluginServices {
  readonly #memory: SharedMemoryAllocator
  readonly #errorLog: ErrorLog
  readonly #workers: number
  readonly #shared: SharedStore | undefined
  readonly #onBroadcast: (plugin: string, message: unknown) => void
  readonly #running = new Map<string, PluginService>()
  /** By plugin key, what each broadcast last. */
  readonly broadcasts = new Map<string, unknown>()

  constructor(
    memory: SharedMemoryAllocator,
    errorLog: ErrorLog,
    workers: number,
    shared: SharedStore | undefined,
    onBroadcast: (plugin: string, message: unknown) => void,
  ) {
    this.#memory = memory
    this.#errorLog = errorLog
    this.#workers = workers
    this.#shared = shared
    this.#onBroadcast = onBroadcast
  }

  /**
   * Starts what a snapshot needs besides what runs. Returns what to do when the snapshot is in force, or is not.
   * Throws what keeps a service from starting; then all is as it was.
   */
  prepare(snapshot: Snapshot): { readonly commit: () => void; readonly takeBack: () => void } {
    const needed = new Map([...pluginsOf(snapshot)].map((plugin) => [plugin.key, plugin]))
    const before = new Set(this.#running.keys())
    const stopAllBut = (kept: { has(key: string): boolean }) => {
      for (const key of this.#running.keys()) if (!kept.has(key)) void this.#stop(key)
    }
    const takeBack = () => stopAllBut(before)
    try {
      for (const plugin of needed.values()) if (!before.has(plugin.key)) this.#start(plugin)
    } catch (error) {
      takeBack()
      throw error
    }
    return { takeBack, commit: () => stopAllBut(needed) }
  }

  /** Has all services of a plugin, one a configuration, do something. Rejected where one cannot. */
  async command(plugin: string, command: unknown): Promise<unknown[]> {
    const asked = [...this.#running].filter(([key, { onCommand }]) => onCommand && nameOf(key) === plugin)
    return Promise.all(asked.map(async ([, service]) => service.onCommand!(command)))
  }

  async onCall(plugin: string, message: unknown): Promise<PluginAnswer> {
    try {
      const service = this.#running.get(plugin)
      if (!service?.onCall) throw new Error('the service of the plugin does not run')
      return { value: await service.onCall(message) }
    } catch (error) {
      return { error: error instanceof Error ? error.message : String(error) }
    }
  }

  /** What the services show of themselves, metrics of one name as one. */
  get metrics(): PluginMetric[] {
    const named = new Map<string, PluginMetric>()
    for (const service of this.#running.values()) {
      for (const metric of service.metrics?.() ?? []) {
        const before = named.get(metric.name)?.samples ?? []
        named.set(metric.name, { ...metric, samples: [...before, ...metric.samples] })
      }
    }
    return [...named.values()]
  }

  async stop(): Promise<void> {
    await Promise.all([...this.#running.keys()].map((key) => this.#stop(key)))
  }

  #start({ id, name, key, config }: CompiledPlugin): void {
    const service = plugins.get(name)!.serve?.(config, {
      id,
      shared: this.#shared,
      sharedMemory: this.#memory.plugins.get(key),
      workers: this.#workers,
      log: (level, event, fields = {}) => this.#errorLog.write(level, event, { plugin: name, ...fields }),
      broadcast: (message) => {
        this.broadcasts.set(key, message)
        this.#onBroadcast(key, message)
      },
    })
    if (service) this.#running.set(key, service)
  }

  async #stop(key: string): Promise<void> {
    const service = this.#running.get(key)
    this.#running.delete(key)
    this.broadcasts.delete(key)
    try {
      await service?.stop()
    } catch (error) {
      this.#errorLog.write('error', 'plugin did not stop', { plugin: key, reason: String(error) })
    }
  }
}
