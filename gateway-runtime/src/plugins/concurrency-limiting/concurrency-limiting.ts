import { z } from 'zod'
import { definePlugin, type Exchange, type PluginContext, type PluginNode, type Reply } from '../contract.ts'
import { keyProblems, keyReader, keySettings } from '../rate-limiting/limited-key.ts'
import { type Entered, FlightTable } from './flight-table.ts'
import { SlotKeeper, slotTickInterval } from './slot-keeper.ts'
import { SlotStore } from './slot-store.ts'

const mostTries = 64

const refusal: Reply = {
  status: 429,
  code: 'too-many-concurrent-requests',
  detail: 'Too many requests of this client are in flight: wait for one of them to end.',
}

const settingsSchema = z
  .strictObject({
    limit: z.int().min(1).max(1_000_000).describe('Requests of one client that may be in flight at once.'),
    ...keySettings,
    sync: z
      .enum(['node', 'cluster'])
      .default('node')
      .describe('Whether each node counts for itself, or all count together through Redis.'),
    on_failure: z
      .enum(['share', 'open', 'closed'])
      .default('share')
      .describe(
        'With sync: cluster, while Redis does not answer: share: each node lets its share of the limit be in flight. open: any number. closed: no more than it had leave for.',
      ),
    memory: z
      .int()
      .min(65_536)
      .max(1_073_741_824)
      .default(16_777_216)
      .describe('Bytes for the counts of one node: at 16 MiB some 55,000 clients.'),
  })
  .superRefine((settings, context) => {
    for (const [name, message] of keyProblems(settings))
      context.addIssue({ code: 'custom', path: [name], message })
  })

type Settings = z.output<typeof settingsSchema>

/**
 * Limits how many requests of one client are in flight, exact over all workers of a node, or over all nodes by slots
 * that nodes lease from Redis. What a worker or node had in flight that died is taken off: at once of a worker, after
 * 10 s of a node.
 */
export const concurrencyLimiting = definePlugin({
  name: 'concurrency-limiting',
  order: 890,
  description: 'Lets so many requests of one client be in flight at once; answers 429 to more.',
  config: settingsSchema,
  examples: [{ limit: 20 }, { limit: 100, by: 'consumer', sync: 'cluster' }],
  counters: {
    refused: 'Requests that were over the limit.',
    uncounted: 'Requests that passed uncounted, as the memory was too small for all clients.',
    without_redis: 'Questions for slots that the node answered itself, as Redis did not.',
  },
  sharedMemory: ({ memory }) => memory,
  create(config, gateway) {
    const flights = new Flights(config, gateway)
    return {
      onRequest: (exchange) => flights.begin(exchange),
      onEnd: (exchange) => flights.end(exchange),
    }
  },
  serve: (config, node) => (config.sync === 'cluster' ? serveSlots(config, node) : { stop: () => {} }),
})

/** The side of a worker. */
class Flights {
  readonly #settings: Settings
  readonly #gateway: PluginContext
  readonly #table: FlightTable
  readonly #keyOf: (exchange: Exchange) => string
  readonly #entries = new WeakMap<Exchange, number | 'waiting' | 'gone'>()

  constructor(settings: Settings, gateway: PluginContext) {
    this.#settings = settings
    this.#gateway = gateway
    this.#table = new FlightTable(gateway.sharedMemory!)
    this.#table.clearWorker(gateway.worker)
    this.#keyOf = keyReader(settings)
  }

  begin(exchange: Exchange): Reply | undefined | Promise<Reply | undefined> {
    const key = this.#keyOf(exchange)
    const entered = this.#enter(key)
    return entered.decision === 'unknown'
      ? this.#wait(exchange, key, entered)
      : this.#settle(exchange, entered)
  }

  end(exchange: Exchange): void {
    const entry = this.#entries.get(exchange)
    if (typeof entry === 'number') this.#table.leave(entry, this.#gateway.worker)
    if (entry === 'waiting') this.#entries.set(exchange, 'gone')
    else this.#entries.delete(exchange)
  }

  #enter(key: string): Entered {
    const { sync, limit } = this.#settings
    return this.#table.enter(key, this.#gateway.worker, sync === 'node' ? limit : undefined)
  }

  async #wait(exchange: Exchange, key: string, first: Entered): Promise<Reply | undefined> {
    let entered = first
    this.#entries.set(exchange, 'waiting')
    for (let tries = 0; tries < mostTries && entered.decision === 'unknown'; tries++) {
      const source = await this.#gateway.call(entered.entry).catch(() => undefined)
      if (source === undefined) break
      if (source === 'node') this.#gateway.count('without_redis')
      entered = this.#enter(key)
    }
    if (this.#entries.get(exchange) === 'gone') {
      // The client went while it waited: nothing ends this exchange any more.
      this.#entries.delete(exchange)
      if (entered.decision === 'passes') this.#table.leave(entered.entry, this.#gateway.worker)
      return undefined
    }
    this.#entries.delete(exchange)
    return this.#settle(exchange, entered)
  }

  #settle(exchange: Exchange, { decision, entry }: Entered): Reply | undefined {
    if (decision !== 'passes') {
      this.#gateway.count('refused')
      return refusal
    }
    if (entry === 0) this.#gateway.count('uncounted')
    this.#entries.set(exchange, entry)
    return undefined
  }
}

function serveSlots(settings: Settings, node: PluginNode) {
  const { shared, id, log } = node
  if (!shared)
    throw new Error(
      `${id}: sync: cluster counts in Redis, and none is configured; name its servers under redis.cluster in config.yaml, or say sync: node`,
    )
  let worked = true
  const keeper = new SlotKeeper({
    table: new FlightTable(node.sharedMemory!),
    store: new SlotStore(shared, id, settings.limit),
    limit: settings.limit,
    withoutStore: settings.on_failure,
    nodes: () => shared.nodes,
    onStore: (works) => {
      if (works === worked) return
      worked = works
      if (works) log('info', 'concurrency limits are counted in redis again', { id })
      else
        log('warn', 'concurrency limits are decided without redis', { id, on_failure: settings.on_failure })
    },
  })
  const timer = setInterval(() => keeper.tick(), slotTickInterval)
  return { onCall: (entry: unknown) => keeper.ask(Number(entry)), stop: () => clearInterval(timer) }
}
