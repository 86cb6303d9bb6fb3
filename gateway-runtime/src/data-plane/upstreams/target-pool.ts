import { isIP } from 'node:net'
import type { Limits } from '../../config/schema.ts'
import type { CompiledUpstream, Target } from '../../config/snapshot.ts'
import type { TimerWheel } from '../timer-wheel.ts'
import { AddressRotation } from './address-rotation.ts'
import type { Balanced } from './balancer.ts'
import { CircuitBreaker } from './circuit-breaker.ts'
import { TargetHealth } from './health.ts'
import { Http2Pool } from './http2-pool.ts'
import { OutcomeWindow } from './outcome-window.ts'
import { type TransportSettings, transportTo } from './transport.ts'
import { type ConnectionOwner, type Transport, UpstreamConnection } from './upstream-connection.ts'
import type { ConnectionTimeouts, UpstreamRequest, UpstreamStream } from './upstream-request.ts'

/** The connections of one worker to one target. */
export class TargetPool implements ConnectionOwner, Balanced {
  readonly target: Target
  readonly circuit: CircuitBreaker
  readonly health: TargetHealth
  /** Where it is counted how requests end; undefined: nobody asks. */
  readonly outcomes: OutcomeWindow | undefined
  /** `host:port` as it stands in a Host header. */
  readonly authority: string
  readonly #transport: Transport
  readonly #wheel: TimerWheel
  readonly #idle: UpstreamConnection[] = []
  /** Undefined: the target is an address itself. */
  readonly #rotation: AddressRotation | undefined
  /** All of HTTP/1.1, where the target has a name: their addresses may go. */
  readonly #connections: Set<UpstreamConnection> | undefined
  readonly #http2: Http2Pool | undefined
  #limits: Limits
  #open = 0
  #retired = false

  /** `state`: see target-state.ts. */
  constructor(
    target: Target,
    state: SharedArrayBuffer,
    { circuitBreaker, passiveCheck }: Pick<CompiledUpstream, 'circuitBreaker' | 'passiveCheck'>,
    transport: TransportSettings,
    limits: Limits,
    wheel: TimerWheel,
  ) {
    this.target = target
    this.circuit = new CircuitBreaker(circuitBreaker, state)
    this.health = new TargetHealth(state)
    this.outcomes = passiveCheck && new OutcomeWindow(state, passiveCheck.window)
    this.authority = target.host.includes(':')
      ? `[${target.host}]:${target.port}`
      : `${target.host}:${target.port}`
    const hasName = isIP(target.host) === 0
    this.#rotation = hasName ? new AddressRotation() : undefined
    this.#connections = hasName ? new Set() : undefined
    this.#transport = transportTo(target, transport, this.#rotation)
    this.#limits = limits
    this.#wheel = wheel
    this.#http2 = transport.http2 ? new Http2Pool(this.#transport, this.#rotation, limits, wheel) : undefined
  }

  get inFlight(): number {
    return this.#http2 ? this.#http2.inFlight : this.#open - this.#idle.length
  }

  /**
   * A way to the target for one request: a kept connection, the last one used first, unless `fresh`; else a new one.
   * Undefined where all are in use.
   */
  open(request: UpstreamRequest, timeouts: ConnectionTimeouts, fresh: boolean): UpstreamStream | undefined {
    if (this.#http2) return this.#http2.open(request, timeouts, fresh)
    const connection =
      (fresh || request.tunnel !== undefined ? undefined : this.#takeIdle(request)) ?? this.#connect(request)
    connection?.assign(request, timeouts)
    return connection
  }

  #takeIdle(request: UpstreamRequest): UpstreamConnection | undefined {
    if (!this.#transport.proxyProtocol) return this.#idle.pop()
    const { sourceAddress } = request.clientEnds
    const index = this.#idle.findLastIndex(({ clientAddress }) => clientAddress === sourceAddress)
    return index < 0 ? undefined : this.#idle.splice(index, 1)[0]
  }

  #connect({ clientEnds }: UpstreamRequest): UpstreamConnection | undefined {
    if (this.#open >= this.#limits.upstream_connections && !this.#evictIdle()) return undefined
    this.#open++
    const connection = new UpstreamConnection(this.#transport, clientEnds, this.#wheel, this)
    this.#connections?.add(connection)
    return connection
  }

  onIdle(connection: UpstreamConnection): void {
    if (this.#retired || this.#idle.length >= this.#limits.upstream_idle_connections)
      return connection.destroy()
    connection.expireIn(this.#limits.upstream_idle_timeout)
    this.#idle.push(connection)
  }

  onClosed(connection: UpstreamConnection): void {
    this.#open--
    this.#connections?.delete(connection)
    const index = this.#idle.indexOf(connection)
    if (index >= 0) this.#idle.splice(index, 1)
  }

  /** The target is no longer configured: idle connections close, those in use when they are done. */
  retire(): void {
    this.#retired = true
    this.#http2?.retire(() => true)
    for (const connection of this.#idle.splice(0)) connection.destroy()
  }

  /** New connections go to these addresses; those to others close when they are done. */
  updateAddresses(addresses: readonly string[]): void {
    if (!this.#rotation?.replace(addresses)) return
    const current = new Set(addresses)
    // One that is being connected may be on its way to any of the addresses before.
    const isGone = ({ remoteAddress }: { readonly remoteAddress: string | undefined }) =>
      !current.has(remoteAddress ?? '')
    this.#http2?.retire(isGone)
    for (const connection of this.#connections ?? [])
      if (isGone(connection)) this.#retireConnection(connection)
  }

  #retireConnection(connection: UpstreamConnection): void {
    const index = this.#idle.indexOf(connection)
    if (index < 0) return connection.retire()
    this.#idle.splice(index, 1)
    connection.destroy()
  }

  #evictIdle(): boolean {
    const oldest = this.#idle.shift()
    oldest?.destroy()
    return oldest !== undefined
  }
}
