import { once } from 'node:events'
import { Worker } from 'node:worker_threads'
import { type Configuration, compile, configurationSchema } from '../../gateway-runtime/src/config/index.ts'
import { packSnapshot } from '../../gateway-runtime/src/config/packed-snapshot.ts'
import { compileConditions } from '../../gateway-runtime/src/config/route-conditions.ts'
import { identicalRoutes, unreachableRoutes } from '../../gateway-runtime/src/config/unreachable-routes.ts'
import { SharedMemoryAllocator } from '../../gateway-runtime/src/control-plane/shared-memory.ts'
import type { RouterTask } from './router-worker.ts'
import { type Spread, spread } from './statistics.ts'
import { threadTime } from './thread-time.ts'

/** What many routes cost beside ten. */
export interface RouterReport {
  readonly routes: number
  /** Of them with a regular expression. */
  readonly patterns: number
  /** Milliseconds from a checked configuration to a router in a worker. */
  readonly compile: Spread
  /** The same of processor time, on both threads; the first time before any code was warm. */
  readonly compileProcessor: Spread & { readonly first: number }
  /** Milliseconds of processor time of the search for routes that are never reached. */
  readonly unreachable: Spread
  /** Nanoseconds of processor time of a match, with making the strings of host and path. */
  readonly match: {
    readonly tenRoutes: Spread
    /** The requests that ten routes were asked, at all routes. */
    readonly sameRequests: Spread
    /** A request for every route, so that hardly one finds its route in the cache of the processor. */
    readonly everyRoute: Spread
  }
}

const hosts = 1_000
const perHost = 100

type Request = readonly [host: string, path: string]

const host = (index: number) => `service-${index}.example.com`
const requestOf = (hostIndex: number, route: number): Request => [
  host(hostIndex),
  route === 0 ? `/v1/reports/${hostIndex}/pages` : `/v1/orders-${route}/items/42`,
]

/** Each host has one regular expression, which all requests to its other routes are held against, too. */
function configurationOf(hostCount: number, routesPerHost: number): Configuration {
  const routes = Array.from({ length: hostCount * routesPerHost }, (_, index) => {
    const route = Math.floor(index / hostCount)
    return {
      name: `route-${index}`,
      service: `service-${index % 100}`,
      hosts: [host(index % hostCount)],
      paths: [route === 0 ? '~/v1/reports/\\d+' : `/v1/orders-${route}`],
    }
  })
  const services = Array.from({ length: 100 }, (_, index) => ({
    name: `service-${index}`,
    url: `http://10.0.0.${index}:8080`,
  }))
  return configurationSchema.parse({ services, routes })
}

/** Compares a router with 100,000 routes to one with ten. Each figure is taken `rounds` times, in turn. */
export async function benchRouter(rounds: number): Promise<RouterReport> {
  const many = configurationOf(hosts, perHost)
  const worker = new Worker(new URL('./router-worker.ts', import.meta.url))
  try {
    const bench = new RouterBench(worker)
    const builds: BuildTime[] = []
    for (let round = 0; round <= rounds; round++) builds.push(await bench.build('many', many))
    await bench.build('ten', configurationOf(1, 10))
    const ten = Array.from({ length: 10 }, (_, route) => requestOf(0, route))
    const every = Array.from({ length: hosts * perHost }, (_, index) =>
      // One after another they are far from each other.
      requestOf((index * 7) % hosts, Math.floor(index / hosts)),
    )
    const match: { [Figure in keyof RouterReport['match']]: number[] } = {
      tenRoutes: [],
      sameRequests: [],
      everyRoute: [],
    }
    for (let round = 0; round <= rounds; round++) {
      match.tenRoutes.push(await bench.match('ten', ten))
      match.sameRequests.push(await bench.match('many', ten))
      match.everyRoute.push(await bench.match('many', every))
    }
    const [first, ...others] = builds as [BuildTime, ...BuildTime[]]
    const warm = (times: readonly number[]) => spread(times.slice(1))
    return {
      routes: many.routes.length,
      patterns: hosts,
      compile: spread(others.map(({ passed }) => passed)),
      compileProcessor: { first: first.processor, ...spread(others.map(({ processor }) => processor)) },
      unreachable: spread(others.map(() => unreachableTime(many))),
      match: {
        tenRoutes: warm(match.tenRoutes),
        sameRequests: warm(match.sameRequests),
        everyRoute: warm(match.everyRoute),
      },
    }
  } finally {
    await worker.terminate()
  }
}

/** Milliseconds. */
interface BuildTime {
  readonly passed: number
  readonly processor: number
}

class RouterBench {
  readonly #worker: Worker

  constructor(worker: Worker) {
    this.#worker = worker
  }

  /** Takes a configuration to a router in the worker. */
  async build(name: string, configuration: Configuration): Promise<BuildTime> {
    const allocator = new SharedMemoryAllocator(1)
    const start = performance.now()
    const processor = process.threadCpuUsage()
    const snapshot = compile(configuration)
    allocator.prepare(snapshot)
    const packed = packSnapshot(snapshot)
    const built = (await this.#ask({ build: name, packed, memory: allocator.forWorker(0) })) as number
    return { passed: performance.now() - start, processor: threadTime(processor) + built }
  }

  /** Nanoseconds. */
  async match(name: string, requests: readonly Request[]): Promise<number> {
    return (await this.#ask({ match: name, requests })) as number
  }

  async #ask(task: RouterTask): Promise<unknown> {
    const answer = once(this.#worker, 'message')
    this.#worker.postMessage(task)
    return (await answer)[0]
  }
}

function unreachableTime({ routes }: Configuration): number {
  const start = process.threadCpuUsage()
  const conditions = routes.map((route) => ({ name: route.name, ...compileConditions(route) }))
  const found = [...identicalRoutes(conditions), ...unreachableRoutes(conditions)]
  if (found.length > 0) throw new Error(`${found.length} routes of the bench are never reached`)
  return threadTime(start)
}

/**
 * The figures as rows: what was measured, median, range, and the cost beside ten routes, of the lowest of each: that
 * is what other programs on the machine disturbed least.
 */
export function routerTable({
  routes,
  patterns,
  compile,
  compileProcessor,
  unreachable,
  match,
}: RouterReport): {
  readonly head: readonly string[]
  readonly rows: readonly (readonly string[])[]
} {
  const name = `${routes.toLocaleString('en')} routes`
  const milliseconds = ({ median, min, max }: Spread) => [
    `${median.toFixed(0)} ms`,
    `${min.toFixed(0)} to ${max.toFixed(0)}`,
    '',
  ]
  const nanoseconds = (figure: Spread) => [
    `${figure.median.toFixed(0)} ns`,
    `${figure.min.toFixed(0)} to ${figure.max.toFixed(0)}`,
    figure === match.tenRoutes ? '' : `${((figure.min / match.tenRoutes.min - 1) * 100).toFixed(1)} %`,
  ]
  return {
    head: ['FIGURE', 'MEDIAN', 'RANGE', 'LOWEST BESIDE TEN ROUTES'],
    rows: [
      [
        `${name}, ${patterns} by regular expression: compile, to a router in a worker`,
        ...milliseconds(compile),
      ],
      ['  processor time of that', ...milliseconds(compileProcessor)],
      ['  the first time, with cold code', `${compileProcessor.first.toFixed(0)} ms`, '', ''],
      ['  search for routes that are never reached', ...milliseconds(unreachable)],
      ['match, ten routes', ...nanoseconds(match.tenRoutes)],
      [`match, ${name}, the same ten requests`, ...nanoseconds(match.sameRequests)],
      [`match, ${name}, a request for each route`, ...nanoseconds(match.everyRoute)],
    ],
  }
}
