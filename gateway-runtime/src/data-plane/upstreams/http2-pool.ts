import type { Limits } from '../../config/schema.ts'
import type { TimerWheel } from '../timer-wheel.ts'
import { type Http2ConnectionOwner, Http2UpstreamConnection } from './http2-upstream-connection.ts'
import type { Transport } from './upstream-connection.ts'
import type { ConnectionTimeouts, UpstreamRequest, UpstreamStream } from './upstream-request.ts'

/** The HTTP/2 connections of one worker to one target: another is opened where those there are take no more. */
export class Http2Pool implements Http2ConnectionOwner {
  readonly #transport: Transport
  readonly #limits: Limits
  readonly #wheel: TimerWheel
  #connections: Http2UpstreamConnection[] = []

  constructor(transport: Transport, limits: Limits, wheel: TimerWheel) {
    this.#transport = transport
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
    const known = fresh ? undefined : this.#connections.find(({ hasCapacity }) => hasCapacity)
    const connection = known ?? this.#connect()
    return connection?.open(request, timeouts)
  }

  onGone(connection: Http2UpstreamConnection): void {
    this.#connections = this.#connections.filter((other) => other !== connection)
  }

  retire(): void {
    for (const connection of this.#connections.splice(0)) connection.retire()
  }

  #connect(): Http2UpstreamConnection | undefined {
    if (this.#connections.length >= this.#limits.upstream_connections) return undefined
    const connection = new Http2UpstreamConnection(this.#transport, this.#wheel, this)
    this.#connections.push(connection)
    return connection
  }
}
