import type { CompiledPlugin, Snapshot } from '../config/snapshot.ts'
import { circuitMemorySize, readCircuit, resetCircuit } from '../data-plane/upstreams/circuit-breaker.ts'
import { plugins } from '../plugins/registry.ts'
import { metricsMemorySize, nodeCounters } from '../telemetry/metrics.ts'
import type { SharedMemory } from '../worker-messages.ts'

const roomToGrow = 2

/** Allots what the workers share: where circuits, counters and the memory of plugins are, over all reloads. */
export class SharedMemoryAllocator {
  readonly #metrics: SharedArrayBuffer[]
  #metricBlocks = new Map<string, number>()
  #metricCapacity = 64
  #circuits = new SharedArrayBuffer(circuitMemorySize(64))
  #circuitCapacity = 64
  #circuitSlots = new Map<string, number>()
  #plugins = new Map<string, { readonly config: string; readonly memory: SharedArrayBuffer }>()

  constructor(workers: number) {
    this.#metrics = Array.from(
      { length: workers },
      () => new SharedArrayBuffer(metricsMemorySize(this.#metricCapacity)),
    )
  }

  /** Makes room for all that a snapshot names. What it has in common with the one before stays where it is. */
  prepare(snapshot: Snapshot): void {
    this.#prepareMetrics(snapshot)
    this.#prepareCircuits(snapshot)
    this.#preparePlugins(snapshot)
  }

  forWorker(index: number): SharedMemory {
    return {
      circuits: this.#circuits,
      circuitSlots: this.#circuitSlots,
      metrics: this.#metrics[index]!,
      metricBlocks: this.#metricBlocks,
      plugins: new Map([...this.#plugins].map(([id, { memory }]) => [id, memory])),
    }
  }

  /** The counters of every worker, for a scrape. */
  get metrics(): readonly SharedArrayBuffer[] {
    return this.#metrics
  }

  get metricBlocks(): ReadonlyMap<string, number> {
    return this.#metricBlocks
  }

  circuit(targetId: string): ReturnType<typeof readCircuit> | undefined {
    const slot = this.#circuitSlots.get(targetId)
    return slot === undefined ? undefined : readCircuit(this.#circuits, slot)
  }

  /** The worker has died: its connections have gone with it, its counts stay. */
  onWorkerDeath(index: number): void {
    new Float64Array(this.#metrics[index]!)[nodeCounters.connectionsActive] = 0
  }

  #prepareMetrics(snapshot: Snapshot): void {
    const blocks = new Map(this.#metricBlocks)
    for (const { name } of snapshot.routes) if (!blocks.has(name)) blocks.set(name, blocks.size)
    this.#metricBlocks = blocks
    if (blocks.size <= this.#metricCapacity) return
    this.#metricCapacity = blocks.size * roomToGrow
    for (let index = 0; index < this.#metrics.length; index++) {
      // The worker takes its counts along when it moves.
      this.#metrics[index] = new SharedArrayBuffer(metricsMemorySize(this.#metricCapacity))
    }
  }

  #prepareCircuits(snapshot: Snapshot): void {
    const ids = new Set(snapshot.upstreams.flatMap(({ targets }) => targets.map(({ id }) => id)))
    if (ids.size > this.#circuitCapacity) {
      const larger = new SharedArrayBuffer(circuitMemorySize(ids.size * roomToGrow))
      new Uint8Array(larger).set(new Uint8Array(this.#circuits))
      this.#circuits = larger
      this.#circuitCapacity = ids.size * roomToGrow
    }
    const slots = new Map([...this.#circuitSlots].filter(([id]) => ids.has(id)))
    const taken = new Set(slots.values())
    let free = 0
    for (const id of ids) {
      if (slots.has(id)) continue
      while (taken.has(free)) free++
      resetCircuit(this.#circuits, free)
      slots.set(id, free)
      taken.add(free)
    }
    this.#circuitSlots = slots
  }

  #preparePlugins(snapshot: Snapshot): void {
    const next = new Map<string, { readonly config: string; readonly memory: SharedArrayBuffer }>()
    for (const plugin of pluginsOf(snapshot)) {
      const bytes = plugins.get(plugin.name)?.sharedMemory?.(plugin.config)
      if (bytes === undefined || next.has(plugin.id)) continue
      const config = JSON.stringify(plugin.config)
      const known = this.#plugins.get(plugin.id)
      next.set(plugin.id, known?.config === config ? known : { config, memory: new SharedArrayBuffer(bytes) })
    }
    this.#plugins = next
  }
}

function* pluginsOf(snapshot: Snapshot): Iterable<CompiledPlugin> {
  yield* snapshot.globalPlugins
  for (const route of snapshot.routes) yield* route.plugins
}
