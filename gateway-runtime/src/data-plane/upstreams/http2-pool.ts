import type { Limits } from '../../config/schema.ts'
import type { TimerWheel } from '../timer-wheel.ts'
import type { AddressRotation } from './address-rotation.ts'
import { type Http2ConnectionOwner, Http2UpstreamConnection } from './http2-upstream-connection.ts'
import type { Transport } from './upstream-connection.ts'
import type { ConnectionTimeouts, UpstreamRequest, UpstreamStream } from './upstream-request.ts'

/**
 * The HTTP/2 connections of one worker to one target: another is opened where those there are take no more. A target
 * whose name has several addresses gets as many connections, or all that a worker sends would go to one of them.
 */
export class Http2Pool implements Http2ConnectionOwner {
  readonly #transport: Transport
  readonly #rotation: Pick<AddressRotation, 'size'> | undefined
  readonly #limits: Limits
  readonly #wheel: TimerWheel
  #connections: Http2UpstreamConnection[] = []

  /** `rotation`: undefined where the target is an address itself. */
  constructor(
    transport: Transport,
    rotation: Pick<AddressRotation, 'size'> | undefined,
    limits: Limits,
    wheel: TimerWheel,
  ) {
    this.#transport = transport
    this.#rotation = rotation
    this.#limits = limits
    this.#wheel = wheel
  }

  get idleTimeout(): number {
    return this.#limits.upstream_idle_timeout
  }

  get inFlight(): number {
    let streams = 0
    for (const connection of this.#connections) streams += connection.inFlight
    return streams
  }

  /** A stream of a connection that is there unless `fresh`. Undefined where all are in use. */
  open(request: UpstreamRequest, timeouts: ConnectionTimeouts, fresh: boolean): UpstreamStream | undefined {
    const known = fresh ? undefined : this.#known(request)
    const connection = known ?? this.#connect(request)
    return connection?.open(request, timeouts)
  }

  #known(request: UpstreamRequest): Http2UpstreamConnection | undefined {
    if (this.#transport.proxyProtocol) {
      const { sourceAddress } = request.clientEnds
      return this.#connections.find(
        ({ hasCapacity, clientAddress }) => hasCapacity && clientAddress === sourceAddress,
      )
    }
    const addresses = this.#rotation?.size ?? 1
    if (addresses <= 1) return this.#connections.find(({ hasCapacity }) => hasCapacity)
    if (this.#connections.length < Math.min(addresses, this.#limits.upstream_connections)) return undefined
    let least: Http2UpstreamConnection | undefined
    for (const connection of this.#connections) {
      if (connection.hasCapacity && (!least || connection.inFlight < least.inFlight)) least = connection
    }
    return least
  }

  onGone(connection: Http2UpstreamConnection): void {
    this.#connections = this.#connections.filter((other) => other !== connection)
  }

  /** Gives up those that are meant: they take no more requests, and close behind the last. */
  retire(isMeant: (connection: Http2UpstreamConnection) => boolean): void {
    const retired = this.#connections.filter(isMeant)
    this.#connections = this.#connections.filter((connection) => !retired.includes(connection))
    for (const connection of retired) connection.retire()
  }

  #connect({ clientEnds }: UpstreamRequest): Http2UpstreamConnection | undefined {
    if (this.#connections.length >= this.#limits.upstream_connections) return undefined
    const connection = new Http2UpstreamConnection(this.#transport, clientEnds, this.#wheel, this)
    this.#connections.push(connection)
    return connection
  }
}
