import { hash } from 'node:crypto'
import { monotonicNow } from '../clock.ts'
import type { Limits } from '../config/schema.ts'
import type {
  CompiledRoute,
  CompiledService,
  CompiledSplit,
  CompiledUpstream,
  Snapshot,
  Target,
} from '../config/snapshot.ts'
import type { ErrorLog } from '../telemetry/error-log.ts'
import { seriesKey } from '../telemetry/metrics.ts'
import type { SharedMemory } from '../worker-messages.ts'
import type { ParserLimits } from './http1/parser.ts'
import { PathRewriter } from './path-rewriter.ts'
import { type PluginChain, PluginChains } from './plugin-chains.ts'
import type { PluginChannel } from './plugin-channel.ts'
import { Redirect } from './redirect.ts'
import { Router } from './router.ts'
import type { TimerWheel } from './timer-wheel.ts'
import { TrafficSplit } from './traffic-split.ts'
import { TrustedProxies } from './trusted-proxies.ts'
import { Balancer } from './upstreams/balancer.ts'
import { RetryBudget } from './upstreams/retry-budget.ts'
import { TargetPool } from './upstreams/target-pool.ts'
import { type TransportSettings, transportOf } from './upstreams/transport.ts'

/** What the requests to a service share, whatever route they come by. */
interface ServiceRuntime {
  readonly service: CompiledService
  readonly balancer: Balancer<TargetPool>
  readonly retryBudget: RetryBudget
}

/** A service as a route leads to it. */
export interface Destination extends ServiceRuntime {
  readonly route: CompiledRoute
  readonly rewriter: PathRewriter | undefined
  /** Block in the metrics of this worker. */
  readonly metricBlock: number
}

export interface MirrorRuntime {
  readonly destination: Destination
  readonly percent: number
}

/** A route with all that its requests need. */
export interface RouteRuntime {
  readonly route: CompiledRoute
  readonly chain: PluginChain
  /** Of its own service; undefined for a redirect. */
  readonly destination: Destination | undefined
  readonly split: TrafficSplit<Destination> | undefined
  readonly mirror: MirrorRuntime | undefined
  readonly redirect: Redirect | undefined
  /** Block in the metrics of this worker. */
  readonly metricBlock: number
}

/** A snapshot as one worker runs it. Requests hold on to the one that they began with. */
export interface Runtime {
  readonly snapshot: Snapshot
  readonly limits: Limits
  readonly parserLimits: ParserLimits
  readonly router: Router<RouteRuntime>
  readonly trustedProxies: TrustedProxies
  /** For requests that no route matched. */
  readonly globalChain: PluginChain
  readonly plugins: PluginChains
  readonly pools: ReadonlyMap<string, TargetPool>
}

/**
 * Builds what a snapshot needs on this worker, once, so that nothing is worked out on the request path. Pools of
 * targets that stay the same are taken over from the runtime before, with their warm connections.
 */
export class RuntimeBuilder {
  readonly #snapshot: Snapshot
  readonly #memory: SharedMemory
  readonly #pem: ReadonlyMap<string, string>
  readonly #wheel: TimerWheel
  readonly #previous: Runtime | undefined
  readonly #workerIndex: number
  readonly #pools = new Map<string, TargetPool>()
  readonly #plugins: PluginChains

  constructor(
    snapshot: Snapshot,
    memory: SharedMemory,
    worker: {
      readonly wheel: TimerWheel
      readonly index: number
      readonly runtime: Runtime | undefined
      readonly channel: PluginChannel
      readonly errorLog: ErrorLog
      /** Certificates and keys by what the configuration says. */
      readonly pem: ReadonlyMap<string, string>
    },
  ) {
    this.#snapshot = snapshot
    this.#memory = memory
    this.#pem = worker.pem
    this.#wheel = worker.wheel
    this.#workerIndex = worker.index
    this.#previous = worker.runtime
    const { channel, errorLog } = worker
    const surroundings = { memory, channel, errorLog, workerIndex: worker.index }
    this.#plugins = new PluginChains(snapshot, surroundings, worker.runtime?.plugins)
  }

  build(): Runtime {
    const snapshot = this.#snapshot
    const services = new Map<string, ServiceRuntime>()
    const runtimeOf = (service: CompiledService) => {
      const known = services.get(service.name)
      if (known) return known
      const runtime = {
        service,
        balancer: this.#balancer(service),
        retryBudget: new RetryBudget(service.retryBudget),
      }
      services.set(service.name, runtime)
      return runtime
    }
    const router = new Router(snapshot.routes, (route) => this.#route(route, runtimeOf))
    return {
      snapshot,
      router,
      limits: snapshot.limits,
      parserLimits: {
        headerBytes: snapshot.limits.header_bytes,
        headerCount: snapshot.limits.header_count,
        targetBytes: snapshot.limits.uri_bytes,
      },
      trustedProxies: new TrustedProxies(snapshot.trustedProxies),
      globalChain: this.#plugins.of(snapshot.globalPlugins),
      plugins: this.#plugins,
      pools: this.#pools,
    }
  }

  #route(route: CompiledRoute, runtimeOf: (service: CompiledService) => ServiceRuntime): RouteRuntime {
    const { service, split, mirror, rewrite, redirect } = route
    const rewriter = rewrite && new PathRewriter(rewrite, route)
    const blockOf = (name: string) => this.#memory.metricBlocks.get(seriesKey(route.name, name))!
    const destinationOf = (service: CompiledService): Destination => ({
      ...runtimeOf(service),
      route,
      rewriter,
      metricBlock: blockOf(service.name),
    })
    return {
      route,
      chain: this.#plugins.of(route.plugins),
      destination: service && destinationOf(service),
      split: split && newSplit(split, destinationOf),
      mirror: mirror && {
        destination: destinationOf(mirror.service),
        percent: mirror.percent,
      },
      redirect: redirect && new Redirect(redirect, route),
      metricBlock: blockOf(service?.name ?? ''),
    }
  }

  #balancer(service: CompiledService): Balancer<TargetPool> {
    const pools = service.upstream.targets.map((target) => this.#pool(service, service.upstream, target.id))
    return new Balancer(service.upstream.balancing, pools, {
      workerIndex: this.#workerIndex,
      healthChanges: new Int32Array(this.#memory.healthChanges),
      now: monotonicNow,
    })
  }

  #pool(service: CompiledService, upstream: CompiledUpstream, targetId: string): TargetPool {
    const target = upstream.targets.find(({ id }) => id === targetId)!
    const transport = transportOf(service, this.#pem)
    const { circuitBreaker, passiveCheck } = upstream
    // Hashed: a private key is in it.
    const key = hash(
      'sha256',
      JSON.stringify([target, transport, circuitBreaker, passiveCheck, this.#snapshot.limits]),
    )
    const pool =
      this.#pools.get(key) ?? this.#previous?.pools.get(key) ?? this.#newPool(target, upstream, transport)
    this.#pools.set(key, pool)
    return pool
  }

  #newPool(target: Target, upstream: CompiledUpstream, transport: TransportSettings): TargetPool {
    const state = this.#memory.targets.get(target.id)!
    return new TargetPool(target, state, upstream, transport, this.#snapshot.limits, this.#wheel)
  }
}

function newSplit(
  { on, services }: CompiledSplit,
  destinationOf: (service: CompiledService) => Destination,
): TrafficSplit<Destination> {
  const shares = services.map(({ service, percent }) => ({
    name: service.name,
    destination: destinationOf(service),
    percent,
  }))
  return new TrafficSplit(shares, on)
}
