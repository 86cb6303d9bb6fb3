import type { CompiledPlugin, CompiledRoute, CompiledService, CompiledSplit, Snapshot } from './snapshot.ts'

/*
 * Structured clone writes every object with the names of its keys: a hundred thousand routes take a second to send
 * and another to receive, for each worker. As one text without what is as it is in most routes, they take a tenth.
 */

/** A snapshot as workers are sent it. */
export interface PackedSnapshot extends Omit<Snapshot, 'routes'> {
  /** JSON; services and plugins are named. */
  readonly routes: string
  readonly services: readonly CompiledService[]
  readonly plugins: readonly CompiledPlugin[]
}

/** The one empty list: most routes have several. */
const none: readonly never[] = Object.freeze([])

/** The protocols that most routes have in `upgrades`. */
export const usualUpgrades: readonly string[] = Object.freeze(['websocket'])

/** A list that may be frozen: the usual one where it says the same, or a copy. */
export function ownList<Item>(items: readonly Item[], usual: readonly Item[] = none): readonly Item[] {
  const isUsual = items.length === usual.length && items.every((item, index) => item === usual[index])
  return isUsual ? usual : [...items]
}

/** What is left out of a packed route. */
const defaults: Partial<CompiledRoute> = {
  paths: none,
  hosts: none,
  methods: none,
  headers: none,
  query: none,
  upgrades: usualUpgrades,
  stripPath: true,
  preserveHost: false,
  priority: 0,
  plugins: none,
  redirect: undefined,
  rewrite: undefined,
}

// Compiling makes the text for the version, sending needs it again; compiled routes never change.
const texts = new WeakMap<readonly CompiledRoute[], string>()

/** The same text for the same routes. */
export function packRoutes(routes: readonly CompiledRoute[]): string {
  const text = texts.get(routes) ?? JSON.stringify(routes.map(packRoute))
  texts.set(routes, text)
  return text
}

const packService = <Owner extends { readonly service: CompiledService }>(owner: Owner) => ({
  ...owner,
  service: owner.service.name,
})

function packRoute(route: CompiledRoute): object {
  const packed: Record<string, unknown> = {}
  for (const key in route) {
    const value = route[key as keyof CompiledRoute]
    if (value !== defaults[key as keyof CompiledRoute]) packed[key] = value
  }
  packed.service = route.service?.name
  if (route.split) packed.split = { ...route.split, services: route.split.services.map(packService) }
  if (route.mirror) packed.mirror = packService(route.mirror)
  if (packed.plugins) packed.plugins = route.plugins.map(({ id }) => id)
  return packed
}

/** Packs a snapshot for sending. */
export function packSnapshot(snapshot: Snapshot): PackedSnapshot {
  const services = new Set<CompiledService>()
  const plugins = new Set<CompiledPlugin>()
  for (const route of snapshot.routes) {
    for (const service of servicesOf(route)) services.add(service)
    for (const plugin of route.plugins) plugins.add(plugin)
  }
  return { ...snapshot, routes: packRoutes(snapshot.routes), services: [...services], plugins: [...plugins] }
}

/** All services that requests of a route may reach, its own first. */
export const servicesOf = ({ service, split, mirror }: CompiledRoute): CompiledService[] => [
  ...(service ? [service] : []),
  ...(split?.services.map((share) => share.service).filter((other) => other !== service) ?? []),
  ...(mirror ? [mirror.service] : []),
]

interface PackedShare {
  readonly service: string
  readonly percent: number
}

type PackedRoute = Omit<Partial<CompiledRoute>, 'service' | 'plugins' | 'split' | 'mirror'> & {
  readonly service?: string
  readonly split?: Omit<CompiledSplit, 'services'> & { readonly services: readonly PackedShare[] }
  readonly mirror?: PackedShare
  readonly plugins?: readonly string[]
}

/** The snapshot that was packed; routes share services and plugins as before, but are not frozen. */
export function unpackSnapshot({ routes, services, plugins, ...rest }: PackedSnapshot): Snapshot {
  const named = new Map(services.map((service) => [service.name, service]))
  const byId = new Map(plugins.map((plugin) => [plugin.id, plugin]))
  const packed = JSON.parse(routes) as PackedRoute[]
  const unpackService = (share: PackedShare) => ({ ...share, service: named.get(share.service)! })
  return {
    ...rest,
    routes: packed.map(
      (route) =>
        ({
          ...defaults,
          ...route,
          service: route.service === undefined ? undefined : named.get(route.service)!,
          split: route.split && { ...route.split, services: route.split.services.map(unpackService) },
          mirror: route.mirror && unpackService(route.mirror),
          plugins: route.plugins?.map((id) => byId.get(id)!) ?? none,
        }) as CompiledRoute,
    ),
  }
}
