import type { Socket } from 'node:net'
import type { Deadline } from '../timer-wheel.ts'
import { drainGrace, type WorkerContext } from '../worker-context.ts'
import type { ConnectionEnds } from './connection-ends.ts'
import { type ProxyHeader, ProxyHeaderError, parseProxyHeader } from './header-parser.ts'

export interface HeaderReaderEvents {
  /** The header is read; the socket is paused, and holds what came behind it. */
  onHeader(ends: ConnectionEnds | undefined): void
  /** What came is no header, or it did not come in time; the connection is closed. */
  onRefused(reason: string): void
  /** The client has gone. */
  onGone(): void
}

/** Reads the PROXY header of a connection, within the time for a head of a request. */
export class ProxyHeaderReader implements Deadline {
  deadline = Number.POSITIVE_INFINITY
  wakeAt = Number.POSITIVE_INFINITY
  readonly #socket: Socket
  readonly #context: WorkerContext
  readonly #events: HeaderReaderEvents
  #bytes: Buffer = Buffer.alloc(0)

  /** Exactly one of the events happens, once. */
  constructor(socket: Socket, context: WorkerContext, events: HeaderReaderEvents) {
    this.#socket = socket
    this.#context = context
    this.#events = events
    socket.on('data', this.#onData).on('end', this.#onEnd).on('error', this.#onEnd).on('close', this.#onEnd)
    context.wheel.set(this, context.runtime.limits.header_timeout)
  }

  /** One that has just connected has its header under way: it is waited for, a moment. */
  drain(): void {
    this.#context.wheel.set(this, drainGrace)
  }

  onDeadline(): void {
    this.#refuse('the header did not arrive in time')
  }

  readonly #onData = (chunk: Buffer): void => {
    this.#bytes = this.#bytes.length === 0 ? chunk : Buffer.concat([this.#bytes, chunk])
    const header = this.#parse()
    if (!header) return
    this.#leave()
    this.#socket.pause()
    if (header.length < this.#bytes.length) this.#socket.unshift(this.#bytes.subarray(header.length))
    this.#events.onHeader(header.ends)
  }

  /** Undefined: not complete yet, or refused. */
  #parse(): ProxyHeader | undefined {
    try {
      return parseProxyHeader(this.#bytes)
    } catch (error) {
      if (!(error instanceof ProxyHeaderError)) throw error
      this.#refuse(error.message)
      return undefined
    }
  }

  readonly #onEnd = (): void => {
    this.#leave()
    this.#socket.on('error', () => {}).destroy()
    this.#events.onGone()
  }

  #refuse(reason: string): void {
    this.#leave()
    this.#socket.on('error', () => {}).destroy()
    this.#events.onRefused(reason)
  }

  #leave(): void {
    this.#context.wheel.clear(this)
    this.#socket.off('data', this.#onData).off('end', this.#onEnd).off('error', this.#onEnd)
    this.#socket.off('close', this.#onEnd)
  }
}
