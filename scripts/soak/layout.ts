import { stringify } from 'yaml'

/** A service of the gateway under load, as it is in one generation of the configuration. */
export interface SoakService {
  readonly name: string
  readonly upstreams: readonly string[]
  readonly http2: boolean
  /** Whether its upstreams fail at times. */
  readonly fails: boolean
}

export interface SoakUpstreamPlan {
  readonly name: string
  readonly http2: boolean
  readonly fails: boolean
}

/** The servers behind the gateway. */
export const upstreamPlans: readonly SoakUpstreamPlan[] = [
  { name: 'steady', http2: false, fails: false },
  { name: 'steady-http2', http2: true, fails: false },
  { name: 'single', http2: false, fails: true },
  { name: 'pair-1', http2: false, fails: true },
  { name: 'pair-2', http2: false, fails: true },
  { name: 'multiplexed', http2: true, fails: true },
]

const steady = { upstreams: ['steady'], http2: false, fails: false }
const steadyHttp2 = { upstreams: ['steady-http2'], http2: true, fails: false }
const pairs = [['pair-1', 'pair-2'], ['pair-1'], ['pair-2']] as const

/** One service becomes another, and one gets and loses targets, from generation to generation. */
export function servicesIn(generation: number): readonly SoakService[] {
  return [
    { name: 'steady', ...steady },
    { name: 'steady-http2', ...steadyHttp2 },
    { name: 'changing', ...(generation % 2 === 0 ? steady : steadyHttp2) },
    { name: 'single', upstreams: ['single'], http2: false, fails: true },
    { name: 'pair', upstreams: pairs[generation % pairs.length]!, http2: false, fails: true },
    { name: 'multiplexed', upstreams: ['multiplexed'], http2: true, fails: true },
  ]
}

const movedRoute = 'moved'
const movedTo = (generation: number): string =>
  Math.floor(generation / 2) % 2 === 0 ? 'steady' : 'steady-http2'

/** A route for each service, by its name, and one that moves: the first segments of their paths. */
export const routes: readonly string[] = [...servicesIn(0).map(({ name }) => name), movedRoute]

/** The service that a route goes to in a generation. */
export function serviceOf(route: string, generation: number): SoakService {
  const name = route === movedRoute ? movedTo(generation) : route
  return servicesIn(generation).find((service) => service.name === name)!
}

/** How long an upstream that fails may be silent; the circuits stay open for `openDuration`. In milliseconds. */
export const faultyReadTimeout = 4_000
export const openDuration = 500
const retries = 1

export interface Ports {
  /** HTTP/1.1 in clear; both versions in clear; both over TLS. */
  readonly plain: number
  readonly both: number
  readonly secure: number
  readonly admin: number
  readonly status: number
  /** Of Node.js, to ask what memory is alive. */
  readonly inspector: number
  /** By the name of an upstream. */
  readonly upstreams: ReadonlyMap<string, number>
}

export interface CertificateFiles {
  readonly certificate: string
  readonly key: string
}

/** config.yaml of a generation. */
export function configurationText(
  ports: Ports,
  { certificate, key }: CertificateFiles,
  generation: number,
): string {
  const services = servicesIn(generation)
  const host = '127.0.0.1'
  return stringify({
    listeners: [
      { host, port: ports.plain, protocol: 'http' },
      { host, port: ports.both, protocol: 'http', http2: true },
      { host, port: ports.secure, protocol: 'https', certificate, key },
    ],
    admin: { port: ports.admin },
    status: { host, port: ports.status },
    workers: 2,
    logs: { directory: './logs' },
    limits: {
      // Nothing that the gateway refuses by itself may explain a failure.
      event_loop_delay: '30s',
      connection_requests: 10_000_000,
      // Other limits replace all pools of connections to upstreams.
      upstream_idle_connections: generation % 5 === 4 ? 64 : 256,
    },
    upstreams: services.map(({ name, upstreams }) => ({
      name,
      targets: upstreams.map((upstream) => ({ target: `${host}:${ports.upstreams.get(upstream)}` })),
      circuit_breaker: { open_duration: openDuration },
    })),
    services: services.map(({ name, http2, fails }) => ({
      name,
      upstream: name,
      http_version: http2 ? '2' : '1.1',
      retries,
      read_timeout: fails ? faultyReadTimeout : 20_000,
      write_timeout: fails ? faultyReadTimeout : 20_000,
    })),
    routes: routes.map((name) => ({
      name,
      service: serviceOf(name, generation).name,
      paths: [`/${name}`],
      ...(name === 'changing' && { mirror: { service: 'single', percent: 10 } }),
    })),
    plugins: [{ name: 'rate-limiting', config: { limit: 1_000_000_000, period: 'second' } }],
  })
}
