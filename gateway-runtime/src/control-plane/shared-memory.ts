import { pluginsOf } from '../config/plugin-chain.ts'
import type { Snapshot } from '../config/snapshot.ts'
import { TargetHealth } from '../data-plane/upstreams/health.ts'
import { newTargetState } from '../data-plane/upstreams/target-state.ts'
import { plugins } from '../plugins/registry.ts'
import { blockOffset, metricsMemorySize, nodeCounters, routeSeries } from '../telemetry/metrics.ts'
import { countersMemorySize } from '../telemetry/plugin-counters.ts'
import type { SharedMemory } from '../worker-messages.ts'
import { MetricBlocks } from './metric-blocks.ts'

const firstBlocks = 64

/** Allots what the workers share: the states of targets, counters and the memory of plugins, over all reloads. */
export class SharedMemoryAllocator {
  readonly #metrics: SharedArrayBuffer[]
  readonly #metricBlocks = new MetricBlocks(firstBlocks)
  #targets: ReadonlyMap<string, SharedArrayBuffer> = new Map()
  readonly #healthChanges = new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT)
  #plugins: ReadonlyMap<string, SharedArrayBuffer> = new Map()
  #pluginCounters: ReadonlyMap<string, SharedArrayBuffer> = new Map()

  constructor(workers: number) {
    this.#metrics = Array.from(
      { length: workers },
      () => new SharedArrayBuffer(metricsMemorySize(firstBlocks)),
    )
  }

  /**
   * Makes room for all that a snapshot names. What it has in common with the one before stays where it is. Returns
   * what takes the step back, with all that was known before.
   */
  prepare(snapshot: Snapshot): () => void {
    const [targets, plugins, counters] = [this.#targets, this.#plugins, this.#pluginCounters]
    this.#prepareMetrics(snapshot)
    this.#prepareTargets(snapshot)
    this.#preparePlugins(snapshot)
    return () => {
      this.#targets = targets
      this.#plugins = plugins
      this.#pluginCounters = counters
    }
  }

  forWorker(index: number): SharedMemory {
    return {
      targets: this.#targets,
      healthChanges: this.#healthChanges,
      metrics: this.#metrics[index]!,
      metricBlocks: this.#metricBlocks.all,
      plugins: this.#plugins,
      pluginCounters: this.#pluginCounters,
    }
  }

  /** Memory of plugins by their key: see CompiledPlugin. */
  get plugins(): ReadonlyMap<string, SharedArrayBuffer> {
    return this.#plugins
  }

  /** What plugins count, by their id: see telemetry/plugin-counters.ts. */
  get pluginCounters(): ReadonlyMap<string, SharedArrayBuffer> {
    return this.#pluginCounters
  }

  /** The counters of every worker, for a scrape. */
  get metrics(): readonly SharedArrayBuffer[] {
    return this.#metrics
  }

  get metricBlocks(): ReadonlyMap<string, number> {
    return this.#metricBlocks.all
  }

  /** The state of each target by its id: see data-plane/upstreams/target-state.ts. */
  get targets(): ReadonlyMap<string, SharedArrayBuffer> {
    return this.#targets
  }

  /** Changes the health of the target whose state this is, and has all workers look at it. */
  changeHealth(state: SharedArrayBuffer, change: (health: TargetHealth) => void): void {
    change(new TargetHealth(state))
    Atomics.add(new Int32Array(this.#healthChanges), 0, 1)
  }

  /** The worker has died: its connections have gone with it, its counts stay. */
  onWorkerDeath(index: number): void {
    const counts = new Float64Array(this.#metrics[index]!)
    counts[nodeCounters.connectionsActive] = 0
    counts[nodeCounters.tunnelsActive] = 0
  }

  #prepareMetrics(snapshot: Snapshot): void {
    const blocks = this.#metricBlocks
    const { capacity } = blocks
    const series = new Set(snapshot.routes.flatMap((route) => routeSeries(route).map(({ key }) => key)))
    blocks.name(series, (block) => {
      for (const memory of this.#metrics)
        new Float64Array(memory).fill(0, blockOffset(block), blockOffset(block + 1))
    })
    if (blocks.capacity === capacity) return
    for (let index = 0; index < this.#metrics.length; index++) {
      // The worker takes its counts along when it moves.
      this.#metrics[index] = new SharedArrayBuffer(metricsMemorySize(blocks.capacity))
    }
  }

  #prepareTargets(snapshot: Snapshot): void {
    const states = new Map<string, SharedArrayBuffer>()
    for (const { targets } of snapshot.upstreams) {
      const isRunning = targets.some(({ id }) => this.#targets.has(id))
      for (const { id } of targets) states.set(id, this.#targets.get(id) ?? newState(isRunning))
    }
    this.#targets = states
  }

  #preparePlugins(snapshot: Snapshot): void {
    const memory = new Map<string, SharedArrayBuffer>()
    const counters = new Map<string, SharedArrayBuffer>()
    for (const { name, id, key, config } of pluginsOf(snapshot)) {
      if (counters.has(id)) continue
      const definition = plugins.get(name)!
      const bytes = definition.sharedMemory?.(config)
      if (bytes !== undefined) memory.set(key, this.#plugins.get(key) ?? new SharedArrayBuffer(bytes))
      const size = countersMemorySize(definition, this.#metrics.length)
      counters.set(id, this.#pluginCounters.get(id) ?? new SharedArrayBuffer(size))
    }
    this.#plugins = memory
    this.#pluginCounters = counters
  }
}

/** A target that comes to others that run already begins with less; where all are new, none has to. */
function newState(warmsUp: boolean): SharedArrayBuffer {
  const state = newTargetState()
  if (warmsUp) new TargetHealth(state).warmUp()
  return state
}
