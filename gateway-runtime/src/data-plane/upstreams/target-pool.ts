import { connect, isIP, type Socket } from 'node:net'
import { type ConnectionOptions, connect as connectTls } from 'node:tls'
import type { Limits } from '../../config/schema.ts'
import type { CompiledService, CompiledUpstream, Target } from '../../config/snapshot.ts'
import { type ProxyVersion, proxyHeaderBytes } from '../proxy-protocol/header-bytes.ts'
import type { TimerWheel } from '../timer-wheel.ts'
import { AddressRotation } from './address-rotation.ts'
import type { Balanced } from './balancer.ts'
import { CircuitBreaker } from './circuit-breaker.ts'
import { TargetHealth } from './health.ts'
import { Http2Pool } from './http2-pool.ts'
import { OutcomeWindow } from './outcome-window.ts'
import {
  type ConnectionOwner,
  type OnRead,
  type Transport,
  UpstreamConnection,
} from './upstream-connection.ts'
import type { ConnectionTimeouts, UpstreamRequest, UpstreamStream } from './upstream-request.ts'
import { tlsOptions, type UpstreamTls, upstreamTlsOf } from './upstream-tls.ts'

/** How a service speaks to its targets; pools are shared by the services that do it alike. */
export interface TransportSettings {
  /** Undefined: in clear. */
  readonly tls: UpstreamTls | undefined
  readonly http2: boolean
  readonly proxyProtocol: ProxyVersion | undefined
}

/** `pem`: see `upstreamTlsOf`. */
export const transportOf = (
  service: CompiledService,
  pem: ReadonlyMap<string, string>,
): TransportSettings => ({
  tls: upstreamTlsOf(service, pem),
  http2: service.http2,
  proxyProtocol: service.proxyProtocol,
})

/** Until an address that does not answer is given up for the next: the Connection Attempt Delay of RFC 8305. */
const attemptTimeout = 250

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
  /** All that go to a target with a name. */
  readonly #connections = new Set<UpstreamConnection>()
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
    this.#rotation = isIP(target.host) === 0 ? new AddressRotation() : undefined
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
    if (this.#rotation) this.#connections.add(connection)
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
    this.#connections.delete(connection)
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
    for (const connection of this.#connections) {
      if (!isGone(connection)) continue
      if (this.#idle.includes(connection)) connection.destroy()
      else connection.retire()
    }
  }

  #evictIdle(): boolean {
    const oldest = this.#idle.shift()
    oldest?.destroy()
    return oldest !== undefined
  }
}

function transportTo(
  { host, port }: Target,
  { tls, http2, proxyProtocol }: TransportSettings,
  rotation: AddressRotation | undefined,
): Transport {
  const address = {
    host,
    port,
    ...(rotation && {
      lookup: rotation.lookup,
      autoSelectFamily: true,
      autoSelectFamilyAttemptTimeout: attemptTimeout,
    }),
  }
  if (!tls) {
    return {
      scheme: 'http',
      connectEvent: 'connect',
      proxyProtocol,
      open(onread, ends) {
        const socket = connect({ ...address, noDelay: true, onread })
        if (proxyProtocol) socket.write(proxyHeaderBytes(proxyProtocol, ends))
        return socket
      },
    }
  }
  const optionsOf = tlsOptions(host, http2, tls)
  return {
    scheme: 'https',
    connectEvent: 'secureConnect',
    proxyProtocol,
    open(onread, ends) {
      if (proxyProtocol) {
        // Several addresses by turns would put another handle under the TLS connection.
        const lookup = rotation && { lookup: rotation.lookupOne }
        const plain = connect({ host, port, noDelay: true, autoSelectFamily: false, ...lookup })
        plain.write(proxyHeaderBytes(proxyProtocol, ends))
        return secured(plain, { ...optionsOf(), host, port }, onread)
      }
      const options = { ...optionsOf(), ...address, onread } // tls.connect hands it to net.connect
      return connectTls(options)
    },
  }
}

/** TLS on a socket that is there already: for that, Node.js has no `onread`, and bytes are copied. */
function secured(plain: Socket, options: ConnectionOptions, onread: OnRead): Socket {
  const socket = connectTls({ ...options, socket: plain })
  socket.on('data', (chunk: Buffer) => {
    for (let at = 0; at < chunk.length; at += onread.buffer.length)
      onread.callback(chunk.copy(onread.buffer, 0, at))
  })
  return socket
}
