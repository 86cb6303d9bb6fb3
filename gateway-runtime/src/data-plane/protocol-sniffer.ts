import type { Socket } from 'node:net'
import { preface } from './http2/frames.ts'
import type { Deadline } from './timer-wheel.ts'
import type { WorkerContext } from './worker-context.ts'

/** Waits for the first bytes of a client in clear, which tell HTTP/2 (RFC 9113 section 3.3) from HTTP/1. */
export class ProtocolSniffer implements Deadline {
  deadline = Number.POSITIVE_INFINITY
  wakeAt = Number.POSITIVE_INFINITY
  readonly #socket: Socket
  readonly #context: WorkerContext
  readonly #onKnown: (protocol: 'HTTP/1.1' | 'HTTP/2', first: Buffer) => void
  readonly #onClosed: (sniffer: ProtocolSniffer) => void
  #first = Buffer.alloc(0)

  /** Exactly one of `onKnown` and `onClosed` is called, once. */
  constructor(
    socket: Socket,
    context: WorkerContext,
    onKnown: (protocol: 'HTTP/1.1' | 'HTTP/2', first: Buffer) => void,
    onClosed: (sniffer: ProtocolSniffer) => void,
  ) {
    this.#socket = socket
    this.#context = context
    this.#onKnown = onKnown
    this.#onClosed = onClosed
    socket.on('data', this.#onData)
    socket.on('end', this.#onEnd)
    socket.on('error', this.#onEnd)
    socket.on('close', this.#onClose)
    context.wheel.set(this, context.runtime.limits.header_timeout)
  }

  drain(): void {
    this.#socket.destroy()
  }

  onDeadline(): void {
    this.#socket.destroy()
  }

  readonly #onData = (chunk: Buffer): void => {
    this.#first = Buffer.concat([this.#first, chunk])
    const length = Math.min(this.#first.length, preface.length)
    const isPreface = preface.compare(this.#first, 0, length, 0, length) === 0
    if (isPreface && length < preface.length) return
    this.#socket.off('data', this.#onData).off('end', this.#onEnd).off('error', this.#onEnd)
    this.#socket.off('close', this.#onClose)
    this.#context.wheel.clear(this)
    this.#onKnown(isPreface ? 'HTTP/2' : 'HTTP/1.1', this.#first)
  }

  readonly #onEnd = (): void => void this.#socket.destroy()

  readonly #onClose = (): void => {
    this.#context.wheel.clear(this)
    this.#onClosed(this)
  }
}
