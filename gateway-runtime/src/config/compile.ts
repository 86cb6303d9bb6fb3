import { createHash } from 'node:crypto'
import { pluginFilesOf } from '../plugins/registry.ts'
import { compileActiveCheck, compilePassiveCheck } from './compile-health-checks.ts'
import { ownList, packRoutes, usualUpgrades } from './packed-snapshot.ts'
import { parseTemplate } from './path-template.ts'
import { PluginChains } from './plugin-chain.ts'
import { compileConditions } from './route-conditions.ts'
import { type Configuration, type Route, type Service, type Upstream, upstreamSchema } from './schema.ts'
import type {
  Balancing,
  CompiledService,
  CompiledSplit,
  CompiledTls,
  CompiledUpstream,
  HashSource,
  RouteDestination,
  RouteSettings,
  Snapshot,
  Target,
} from './snapshot.ts'

/**
 * Compiles a configuration that `loadConfiguration` found right to what workers run: plain data, frozen throughout,
 * with every name resolved. Equal configurations give equal snapshots.
 */
export function compile({ routes: written, ...others }: Configuration): Snapshot {
  // The copy leaves the configuration itself unfrozen, and is a proof that workers can be sent it.
  const configuration = structuredClone(others)
  const named = new Map(configuration.upstreams.map((upstream) => [upstream.name, compileUpstream(upstream)]))
  const located = configuration.services.map((service) => locate(service, named))
  const services = new Map(located.map((service) => [service.name, compileService(service, named)]))
  const chains = new PluginChains(configuration.plugins)
  const consumers = configuration.consumers.map((consumer) => chains.consumer(consumer))
  const routes = written.map((route) => ({ ...compileRoute(route, services), plugins: chains.of(route) }))
  const implicit = located
    .filter(({ url }) => url !== undefined)
    .map(({ name }) => services.get(name)!.upstream)
  const pluginFiles = pluginFilesOf(configuration.plugin_files)
  const version = createHash('sha256')
    .update(canonicalJson([configuration, pluginFiles.map(({ hash }) => hash)]))
    .update(packRoutes(routes))
  return deepFreeze({
    version: version.digest('hex'),
    listeners: configuration.listeners,
    certificates: configuration.certificates,
    tls: configuration.tls,
    limits: configuration.limits,
    dns: configuration.dns,
    trustedProxies: configuration.trusted_proxies,
    forwarded: configuration.forwarded,
    refusesAmbiguousNames: configuration.ambiguous_header_names === 'refuse',
    routes,
    upstreams: [...named.values(), ...implicit],
    consumers,
    pluginFiles,
    globalPlugins: chains.global,
  })
}

function compileUpstream(upstream: Upstream): CompiledUpstream {
  const { name, targets, circuit_breaker, healthchecks } = upstream
  return {
    name,
    circuitBreaker: circuit_breaker,
    activeCheck: compileActiveCheck(healthchecks),
    passiveCheck: compilePassiveCheck(healthchecks),
    balancing: compileBalancing(upstream),
    targets: targets.map(({ target, weight }) => {
      const { host, port } = splitAddress(target)
      return compileTarget(name, host, port ?? 80, weight)
    }),
  }
}

function compileBalancing(upstream: Upstream): Balancing {
  return {
    algorithm: upstream.algorithm,
    hashOn: hashSource(upstream, upstream.hash_on, upstream.hash_on_header),
    hashFallback: hashSource(upstream, upstream.hash_fallback, upstream.hash_fallback_header),
    hashBalanceFactor: upstream.hash_balance_factor,
    slowStart: upstream.slow_start ?? 0,
    panicThreshold: upstream.healthchecks.panic_threshold,
  }
}

/** The schema sees to it that names are there. */
function hashSource(upstream: Upstream, kind: Upstream['hash_on'], header: string | undefined): HashSource {
  if (kind === 'header') return { kind, name: header!.toLowerCase() }
  if (kind === 'cookie') return { kind, name: upstream.hash_on_cookie!, path: upstream.hash_on_cookie_path }
  return { kind }
}

/** A host is the upstream of its name where there is one, and else is written as a url. */
function locate(service: Service, upstreams: ReadonlyMap<string, unknown>): Service {
  const { host, port, ...others } = service
  if (host === undefined) return service
  if (upstreams.has(host)) return { ...others, upstream: host }
  const { protocol = 'http', path = '', ...located } = others
  return { ...located, url: `${protocol}://${host}${port === undefined ? '' : `:${port}`}${path}` }
}

function compileService(service: Service, upstreams: ReadonlyMap<string, CompiledUpstream>): CompiledService {
  return {
    name: service.name,
    http2: usesHttp2(service),
    proxyProtocol: service.proxy_protocol,
    retries: service.retries,
    connectTimeout: service.connect_timeout,
    readTimeout: service.read_timeout,
    writeTimeout: service.write_timeout,
    tryTimeout: service.try_timeout,
    totalTimeout: service.total_timeout,
    retryBudget: service.retry_budget,
    ...(service.url === undefined ? behindUpstream(service, upstreams) : behindUrl(service, service.url)),
  }
}

function usesHttp2({ url, protocol, http_version }: Service): boolean {
  const isGrpc = /^grpcs?:/i.test(url ?? '') || protocol === 'grpc' || protocol === 'grpcs'
  return http_version === undefined ? isGrpc : http_version === '2'
}

type Destination = Pick<CompiledService, 'upstream' | 'tls' | 'path' | 'hostHeader'>

function behindUpstream(service: Service, upstreams: ReadonlyMap<string, CompiledUpstream>): Destination {
  const upstream = upstreams.get(service.upstream ?? '')
  if (!upstream) throw new Error(`service ${JSON.stringify(service.name)} has no upstream`)
  return {
    upstream,
    tls: service.protocol === 'https' || service.protocol === 'grpcs' ? compileTls(service) : undefined,
    path: withoutLastSlash(service.path ?? ''),
    hostHeader: undefined,
  }
}

const plainUpstream = upstreamSchema.parse({ name: 'url', targets: [{ target: 'url' }] })

/** A service with a url is an upstream with one target. */
function behindUrl(service: Service, text: string): Destination {
  const url = new URL(text)
  const tls = url.protocol === 'https:' || url.protocol === 'grpcs:'
  const upstream = `service:${service.name}`
  const port = url.port === '' ? (tls ? 443 : 80) : Number(url.port)
  return {
    upstream: {
      name: upstream,
      circuitBreaker: plainUpstream.circuit_breaker,
      activeCheck: undefined,
      passiveCheck: undefined,
      balancing: compileBalancing(plainUpstream),
      targets: [compileTarget(upstream, url.hostname, port, 100)],
    },
    tls: tls ? compileTls(service) : undefined,
    path: withoutLastSlash(url.pathname),
    hostHeader: url.host,
  }
}

/** `host`: IPv6 in brackets. */
const compileTarget = (upstream: string, host: string, port: number, weight: number): Target => ({
  id: `${upstream}/${host}:${port}`,
  host: host.replace(/^\[|\]$/g, ''),
  port,
  weight,
})

function splitAddress(address: string): { host: string; port: number | undefined } {
  const [, host, port] = /^(\[.*\]|[^:]*)(?::(\d+))?$/.exec(address)!
  return { host: host!, port: port === undefined ? undefined : Number(port) }
}

const compileTls = (service: Service): CompiledTls => ({
  verify: service.tls_verify,
  ca: service.ca,
  clientCertificate: service.client_certificate,
  clientKey: service.client_key,
  serverName: service.server_name,
})

const withoutLastSlash = (path: string) => path.replace(/\/+$/, '')

function compileRoute(
  route: Route,
  services: ReadonlyMap<string, CompiledService>,
): Omit<RouteSettings, 'plugins'> & RouteDestination {
  return {
    name: route.name,
    ...compileDestination(route, services),
    ...compileConditions(route),
    stripPath: route.strip_path,
    preserveHost: route.preserve_host,
    upgrades: ownList(route.upgrades, usualUpgrades),
  }
}

function compileDestination(
  { redirect, ...route }: Route,
  services: ReadonlyMap<string, CompiledService>,
): RouteDestination {
  const { split, mirror, rewrite } = route
  if (redirect) return { ...noService, redirect: compileRedirect(redirect) }
  const serviceOf = (name: string | undefined) => {
    const service = services.get(name ?? '')
    if (!service) throw new Error(`route ${JSON.stringify(route.name)} has no service`)
    return service
  }
  const service = serviceOf(route.service)
  return {
    service,
    split: split && compileSplit(split, service, serviceOf),
    mirror: mirror && { service: serviceOf(mirror.service), percent: mirror.percent },
    rewrite: rewrite === undefined ? undefined : parseTemplate(rewrite)!,
    redirect: undefined,
  }
}

const noService = { service: undefined, split: undefined, mirror: undefined, rewrite: undefined }

const compileRedirect = ({
  status,
  scheme,
  host,
  port,
  path,
  keep_query,
}: NonNullable<Route['redirect']>) => ({
  status,
  scheme,
  host,
  port,
  path: path === undefined ? undefined : parseTemplate(path)!,
  keepQuery: keep_query,
})

function compileSplit(
  { on, header, cookie, services }: NonNullable<Route['split']>,
  own: CompiledService,
  serviceOf: (name: string) => CompiledService,
): CompiledSplit {
  const others = services.map(({ service, percent }) => ({ service: serviceOf(service), percent }))
  const rest = 100 - others.reduce((sum, { percent }) => sum + percent, 0)
  return { on: splitSource(on, header, cookie), services: [{ service: own, percent: rest }, ...others] }
}

/** The schema sees to it that names are there. */
function splitSource(
  kind: NonNullable<Route['split']>['on'],
  header: string | undefined,
  cookie: string | undefined,
): HashSource {
  if (kind === 'header') return { kind, name: header!.toLowerCase() }
  if (kind === 'cookie') return { kind, name: cookie!, path: '/' }
  return { kind }
}

/** JSON with keys in the order of their code units: equal for equal values. */
function canonicalJson(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join()}]`
  if (typeof value !== 'object' || value === null) return JSON.stringify(value)
  const members = Object.entries(value)
    .filter(([, member]) => member !== undefined)
    .sort(([a], [b]) => (a < b ? -1 : 1))
  return `{${members.map(([key, member]) => `${JSON.stringify(key)}:${canonicalJson(member)}`).join()}}`
}

function deepFreeze<Value>(value: Value): Value {
  if (typeof value !== 'object' || value === null || Object.isFrozen(value)) return value
  Object.freeze(value)
  for (const key in value) deepFreeze(value[key])
  return value
}
