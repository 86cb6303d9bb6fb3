/** What the proxies are asked to do. Everything that tells scenarios apart is here. */
export interface Scenario {
  readonly name: string
  /** For people: what a client does. */
  readonly title: string
  /** `https` is TLS 1.3 with HTTP/1.1, `h2` TLS 1.3 with HTTP/2. */
  readonly protocol: 'http' | 'https' | 'h2'
  /** Connections that requests are sent over at once; for `idle`, those that are held. */
  readonly connections: number
  /** Requests at once on each connection; more than one only for `h2`. */
  readonly streams: number
  /** What happens on a connection: requests one after another, a single one, or one and then nothing. */
  readonly use: 'kept' | 'one-request' | 'idle'
  /** Body of each answer; undefined: 61 bytes of JSON. */
  readonly answerBytes?: number
  /** Body of each request, which is then a POST; undefined: a GET. */
  readonly uploadBytes?: number
  /** Routes by path prefix that the proxy has, all of them in use. */
  readonly routes: number
  /** Whether requests have an API key, and the gateway the plugins that ask for it. */
  readonly apiKey?: true
  /** Whether requests have all that plugins may ask of a client. */
  readonly credentials?: true
  /** Whether answers come from the proxy's cache. */
  readonly cached?: true
  /** Whether the gateway is compared with itself, while its configuration changes. */
  readonly reloads?: true
}

/** What requests show, where a scenario has one. */
export const apiKey = 'bench-7f3b9c2d81e64a50'

const usual = { protocol: 'http', connections: 64, streams: 1, use: 'kept', routes: 1 } as const
const kilobyte = 1_024
const megabyte = 1_024 * kilobyte

/** All scenarios, in the order of `--all`. */
export const scenarios: readonly Scenario[] = [
  { ...usual, name: 'small', title: 'small JSON answers over kept connections' },
  { ...usual, name: 'tls', title: 'small answers over kept TLS 1.3 connections', protocol: 'https' },
  { ...usual, name: '100KB', title: 'answers of 100 KiB', answerBytes: 100 * kilobyte },
  { ...usual, name: '10MB', title: 'answers of 10 MiB', answerBytes: 10 * megabyte, connections: 8 },
  { ...usual, name: '10KB-upload', title: 'requests of 10 KiB', uploadBytes: 10 * kilobyte },
  { ...usual, name: '1MB-upload', title: 'requests of 1 MiB', uploadBytes: megabyte, connections: 16 },
  { ...usual, name: 'connections', title: 'a connection for each request', use: 'one-request' },
  {
    ...usual,
    name: 'tls-connections',
    title: 'a TLS 1.3 connection for each request',
    protocol: 'https',
    use: 'one-request',
  },
  {
    ...usual,
    name: 'http2',
    title: 'small answers over HTTP/2 on TLS 1.3',
    protocol: 'h2',
    connections: 16,
    streams: 8,
  },
  { ...usual, name: '100000-routes', title: 'requests spread over 100,000 routes', routes: 100_000 },
  {
    ...usual,
    name: 'plugins',
    title: 'small answers with the plugins of an ordinary API, beside the gateway without any',
    apiKey: true,
  },
  { ...usual, name: 'cache', title: 'small answers from the cache', cached: true },
  {
    ...usual,
    name: 'reload',
    title: 'small answers with 1,000 routes, beside the gateway whose configuration changes meanwhile',
    routes: 1_000,
    reloads: true,
  },
  { ...usual, name: 'idle', title: '10,000 idle connections', use: 'idle', connections: 10_000 },
]

/** The scenario of that name; throws with all names when there is none. */
export function scenarioNamed(name: string): Scenario {
  const scenario = scenarios.find((each) => each.name === name)
  if (scenario) return scenario
  throw new Error(`--scenario ${name}: expected one of ${scenarios.map((each) => each.name).join(', ')}`)
}

/** Path prefix of a route of a scenario that has many. */
export const routePrefix = (index: number) => `/orders-${index}/`

/** Path prefixes of all routes of a scenario. */
export const routePrefixes = ({ routes }: Pick<Scenario, 'routes'>): string[] =>
  routes === 1 ? ['/'] : Array.from({ length: routes }, (_, index) => routePrefix(index))

/** A path that the upstream answers as the scenario wants it. */
export function pathOf({ answerBytes, uploadBytes, routes }: Scenario): string {
  if (answerBytes !== undefined) return `/files/${answerBytes}`
  if (uploadBytes !== undefined) return '/upload'
  return routes === 1 ? '/orders/17' : `${routePrefix(0)}17`
}
