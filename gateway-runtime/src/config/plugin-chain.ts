import { hash } from 'node:crypto'
import { pluginCodeHash, plugins } from '../plugins/registry.ts'
import { ownList } from './packed-snapshot.ts'
import { pluginId } from './plugin-id.ts'
import type { Consumer, Plugin, Route } from './schema.ts'
import type { CompiledConsumer, CompiledPlugin, ConsumerPlugin, Snapshot } from './snapshot.ts'

type ByName = Map<string, Plugin>

/** The order in which plugins see a request: by name where it is the same, so that it never changes. */
export const inOrder = (all: readonly CompiledPlugin[]): CompiledPlugin[] =>
  all.toSorted((a, b) => b.order - a.order || (a.name < b.name ? -1 : 1))

/** Works out which plugins see the requests of a route, and in which order. */
export class PluginChains {
  readonly #global: ByName = new Map()
  readonly #services = new Map<string, ByName>()
  readonly #routes = new Map<string, ByName>()
  readonly #consumers = new Map<string, Plugin[]>()
  readonly #compiled = new Map<Plugin, CompiledPlugin>()
  /** By service, for routes without plugins of their own. */
  readonly #shared = new Map<string, readonly CompiledPlugin[]>()

  constructor(all: readonly Plugin[]) {
    for (const plugin of all) {
      const { consumer } = plugin
      if (consumer === undefined) this.#scopeOf(plugin).set(plugin.name, plugin)
      else this.#consumers.set(consumer, [...(this.#consumers.get(consumer) ?? []), plugin])
    }
  }

  /** Plugins that see requests which no route matched. */
  get global(): CompiledPlugin[] {
    return this.#chain(this.#global)
  }

  /** Of a plugin that stands at several scopes, the narrowest counts, also where it is switched off there. */
  of({ name, service }: Pick<Route, 'name' | 'service'>): readonly CompiledPlugin[] {
    const own = this.#routes.get(name)
    if (own) return this.#scoped(service, own)
    const known = this.#shared.get(service ?? '') ?? ownList(this.#scoped(service, new Map()))
    this.#shared.set(service ?? '', known)
    return known
  }

  /** What a consumer is known by, and the plugins that take the place of those of routes for it. */
  consumer({ name, custom_id, groups, credentials }: Consumer): CompiledConsumer {
    const own = (this.#consumers.get(name) ?? []).map((plugin) => this.#consumerPlugin(plugin))
    const breadth = ({ route, service }: ConsumerPlugin) => (route ? 0 : service ? 1 : 2)
    return {
      name,
      customId: custom_id,
      groups: [...groups],
      credentials: Object.fromEntries(
        Object.entries(credentials).map(([kind, list]) => [kind, list.map((value) => seal(kind, value))]),
      ),
      plugins: own.sort((a, b) => breadth(b) - breadth(a)),
    }
  }

  #consumerPlugin(plugin: Plugin): ConsumerPlugin {
    const { name, route, service, enabled } = plugin
    return { name, route, service, plugin: enabled ? this.#compile(plugin) : undefined }
  }

  #scoped(service: string | undefined, own: ByName): CompiledPlugin[] {
    return this.#chain(new Map([...this.#global, ...(this.#services.get(service ?? '') ?? []), ...own]))
  }

  #chain(byName: ByName): CompiledPlugin[] {
    const enabled = [...byName.values()].filter((plugin) => plugin.enabled)
    return inOrder(enabled.map((plugin) => this.#compile(plugin)))
  }

  #compile(plugin: Plugin): CompiledPlugin {
    const known = this.#compiled.get(plugin)
    if (known) return known
    const definition = plugins.get(plugin.name)
    if (!definition) throw new Error(`no plugin is called ${JSON.stringify(plugin.name)}`)
    const id = pluginId(plugin)
    const config = definition.config.parse(plugin.config)
    const compiled: CompiledPlugin = {
      id,
      key: `${id} ${hash('sha256', JSON.stringify(config) + pluginCodeHash(plugin.name), 'base64url')}`,
      name: plugin.name,
      order: definition.order,
      config,
    }
    this.#compiled.set(plugin, compiled)
    return compiled
  }

  #scopeOf({ route, service }: Plugin): ByName {
    if (route !== undefined) return scopeIn(this.#routes, route)
    return service === undefined ? this.#global : scopeIn(this.#services, service)
  }
}

function scopeIn(scopes: Map<string, ByName>, name: string): ByName {
  const scope = scopes.get(name) ?? new Map()
  scopes.set(name, scope)
  return scope
}

function seal(kind: string, credential: unknown) {
  const type = plugins.get(kind)?.credentials
  if (!type) throw new Error(`no plugin takes credentials called ${JSON.stringify(kind)}`)
  const value = type.schema.parse(credential)
  return { key: type.key(value), value }
}

/** Every plugin of a snapshot that is switched on, each as often as it is named. */
export function* pluginsOf({ globalPlugins, routes, consumers }: Snapshot): Iterable<CompiledPlugin> {
  yield* globalPlugins
  for (const route of routes) yield* route.plugins
  for (const consumer of consumers) for (const { plugin } of consumer.plugins) if (plugin) yield plugin
}
