import { plugins } from '../plugins/registry.ts'
import { ownList } from './packed-snapshot.ts'
import { pluginId } from './plugin-id.ts'
import type { Plugin, Route } from './schema.ts'
import type { CompiledPlugin } from './snapshot.ts'

type ByName = Map<string, Plugin>

/** Works out which plugins see the requests of a route, and in which order. */
export class PluginChains {
  readonly #global: ByName = new Map()
  readonly #services = new Map<string, ByName>()
  readonly #routes = new Map<string, ByName>()
  readonly #compiled = new Map<Plugin, CompiledPlugin>()
  /** By service, for routes without plugins of their own. */
  readonly #shared = new Map<string, readonly CompiledPlugin[]>()

  constructor(all: readonly Plugin[]) {
    for (const plugin of all) this.#scopeOf(plugin).set(plugin.name, plugin)
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

  #scoped(service: string | undefined, own: ByName): CompiledPlugin[] {
    return this.#chain(new Map([...this.#global, ...(this.#services.get(service ?? '') ?? []), ...own]))
  }

  #chain(byName: ByName): CompiledPlugin[] {
    return [...byName.values()]
      .filter(({ enabled }) => enabled)
      .map((plugin) => this.#compile(plugin))
      .sort((a, b) => b.order - a.order || (a.name < b.name ? -1 : 1))
  }

  #compile(plugin: Plugin): CompiledPlugin {
    const known = this.#compiled.get(plugin)
    if (known) return known
    const definition = plugins.get(plugin.name)
    if (!definition) throw new Error(`no plugin is called ${JSON.stringify(plugin.name)}`)
    const compiled: CompiledPlugin = {
      id: pluginId(plugin),
      name: plugin.name,
      order: definition.order,
      config: definition.config.parse(plugin.config),
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
