import { inOrder, pluginsOf } from '../config/plugin-chain.ts'
import type { CompiledConsumer, CompiledPlugin, CompiledRoute, Snapshot } from '../config/snapshot.ts'
import { isBehindAuthentication } from '../plugins/authentication-order.ts'
import type { Consumer, Credential, PluginHandlers } from '../plugins/contract.ts'
import { plugins } from '../plugins/registry.ts'
import type { ErrorLog } from '../telemetry/error-log.ts'
import { pluginCounter } from '../telemetry/plugin-counters.ts'
import type { SharedMemory } from '../worker-messages.ts'
import type { PluginChannel } from './plugin-channel.ts'

type Hook = Exclude<keyof PluginHandlers, 'ready'>

/** A hook with its plugin: the name for the log, the order for what comes behind it. */
export interface NamedHook<Kind extends Hook> {
  readonly plugin: string
  readonly order: number
  readonly hook: NonNullable<PluginHandlers[Kind]>
}

/** The hooks of all plugins on a way through the gateway. */
export interface PluginChain {
  readonly onRequest: readonly NamedHook<'onRequest'>[]
  /** Who saw the request last is first. */
  readonly onResponse: readonly NamedHook<'onResponse'>[]
  readonly onUpstreamError: readonly NamedHook<'onUpstreamError'>[]
  readonly onEnd: readonly NamedHook<'onEnd'>[]
}

/**
 * A plugin of a consumer, which is known when authentication is over: one that would see the
 * request before sees it right behind.
 */
const onceKnown = (plugin: CompiledPlugin): CompiledPlugin =>
  isBehindAuthentication(plugin) ? plugin : { ...plugin, order: 999 + plugin.order / 1_000_000 }

/** What one worker has for its plugins. */
export interface PluginSurroundings {
  readonly memory: SharedMemory
  readonly channel: PluginChannel
  readonly errorLog: ErrorLog
  readonly workerIndex: number
}

const mostChainsOfConsumers = 10_000

/**
 * The plugins of a snapshot as one worker runs them. What has the same configuration as before goes on as it is, with
 * all that it has learnt.
 */
export class PluginChains {
  readonly #surroundings: PluginSurroundings
  readonly #handlers = new Map<string, PluginHandlers>()
  readonly #chains = new Map<readonly CompiledPlugin[], PluginChain>()
  readonly #consumers: ReadonlyMap<string, CompiledConsumer>
  /** Chains of consumers by that of the route. */
  #ofConsumers = new Map<PluginChain, Map<string, PluginChain>>()
  #chainsOfConsumers = 0
  readonly #credentials = new Map<string, ReadonlyMap<string, Credential>>()
  readonly #snapshot: Snapshot

  constructor(snapshot: Snapshot, surroundings: PluginSurroundings, previous: PluginChains | undefined) {
    this.#surroundings = surroundings
    this.#snapshot = snapshot
    this.#consumers = new Map(snapshot.consumers.map((consumer) => [consumer.name, consumer]))
    if (previous) this.#inherit(previous)
  }

  #inherit(previous: PluginChains): void {
    const consumersOf = ({ consumers }: Snapshot) => JSON.stringify(consumers)
    const sameConsumers = consumersOf(previous.#snapshot) === consumersOf(this.#snapshot)
    for (const { name, key } of pluginsOf(this.#snapshot)) {
      const known = previous.#handlers.get(key)
      if (known && (sameConsumers || !plugins.get(name)!.credentials)) this.#handlers.set(key, known)
    }
  }

  /** The chain of these plugins, which are in order. */
  of(compiled: readonly CompiledPlugin[]): PluginChain {
    const known = this.#chains.get(compiled)
    if (known) return known
    const chain = this.#make(compiled)
    this.#chains.set(compiled, chain)
    return chain
  }

  #make(compiled: readonly CompiledPlugin[]): PluginChain {
    return {
      onRequest: this.#hooks(compiled, 'onRequest'),
      onResponse: this.#hooks(compiled, 'onResponse').reverse(),
      onUpstreamError: this.#hooks(compiled, 'onUpstreamError').reverse(),
      onEnd: this.#hooks(compiled, 'onEnd'),
    }
  }

  /** The chain of a route where the consumer's own plugins are in the place of the route's. */
  forConsumer(chain: PluginChain, route: CompiledRoute | undefined, { name }: Consumer): PluginChain {
    const own = this.#consumers.get(name)?.plugins
    if (!own || own.length === 0) return chain
    const known = this.#ofConsumers.get(chain)?.get(name)
    if (known) return known
    if (this.#chainsOfConsumers++ >= mostChainsOfConsumers) {
      this.#ofConsumers = new Map()
      this.#chainsOfConsumers = 1
    }
    const byConsumer = this.#ofConsumers.get(chain) ?? new Map<string, PluginChain>()
    this.#ofConsumers.set(chain, byConsumer)
    const made = this.#make(this.#withOwn(route?.plugins ?? this.#snapshot.globalPlugins, own, route))
    byConsumer.set(name, made)
    return made
  }

  /** All that were made so far can be used. Rejected where one cannot. */
  async ready(): Promise<void> {
    for (const { ready } of this.#handlers.values()) await ready
  }

  /** Plugins of before that these have nothing to do with are told nothing more. */
  settle(): void {
    this.#surroundings.channel.keep(new Set([...pluginsOf(this.#snapshot)].map(({ key }) => key)))
  }

  #withOwn(
    plugins: readonly CompiledPlugin[],
    own: CompiledConsumer['plugins'],
    route: CompiledRoute | undefined,
  ): CompiledPlugin[] {
    const byName = new Map(plugins.map((plugin) => [plugin.name, plugin]))
    for (const { name, plugin, ...scope } of own) {
      if (scope.route !== undefined && scope.route !== route?.name) continue
      if (scope.service !== undefined && scope.service !== route?.service?.name) continue
      if (plugin) byName.set(name, onceKnown(plugin))
      else byName.delete(name)
    }
    return inOrder([...byName.values()])
  }

  #hooks<Kind extends Hook>(compiled: readonly CompiledPlugin[], kind: Kind): NamedHook<Kind>[] {
    return compiled.flatMap((plugin) => {
      const handlers = this.#handlersOf(plugin)
      const hook = handlers[kind] as ((...args: never) => unknown) | undefined
      if (!hook) return []
      const bound = hook.bind(handlers) as NonNullable<PluginHandlers[Kind]>
      return [{ plugin: plugin.name, order: plugin.order, hook: bound }]
    })
  }

  #handlersOf(plugin: CompiledPlugin): PluginHandlers {
    const known = this.#handlers.get(plugin.key) ?? this.#create(plugin)
    this.#handlers.set(plugin.key, known)
    return known
  }

  #create({ id, key, name, config }: CompiledPlugin): PluginHandlers {
    const { memory, channel, errorLog, workerIndex } = this.#surroundings
    const definition = plugins.get(name)!
    return definition.create(config, {
      worker: workerIndex,
      sharedMemory: memory.plugins.get(key),
      credentials: this.#credentialsOf(name),
      count: pluginCounter(definition, memory.pluginCounters.get(id)!, workerIndex),
      log: (level, event, fields = {}) => errorLog.write(level, event, { plugin: name, ...fields }),
      call: (message) => channel.call(key, message),
      onBroadcast: (listener) => channel.listen(key, listener),
    })
  }

  #credentialsOf(kind: string): ReadonlyMap<string, Credential> {
    const known = this.#credentials.get(kind)
    if (known) return known
    const made = new Map<string, Credential>()
    for (const { name, customId, groups, credentials } of this.#snapshot.consumers) {
      const consumer: Consumer = { name, customId, groups }
      for (const { key, value } of credentials[kind] ?? []) made.set(key, { consumer, value })
    }
    this.#credentials.set(kind, made)
    return made
  }
}
