import { once } from 'node:events'
import { connect, isIP, type Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'
import type { LogSink } from '../log-queue.ts'

const keepAliveDelay = 10_000

export interface SocketTarget {
  readonly host: string
  readonly port: number
  readonly tls: boolean
  /** Milliseconds to connect, and for a batch to leave. */
  readonly timeout: number
  /** PEM text of the authorities of the server, in place of the public ones. */
  readonly ca?: string
}

/** Lines over one TCP or TLS connection, which is opened when there is something to send. */
export class SocketSink implements LogSink {
  readonly #target: SocketTarget
  readonly #frame: (line: string) => string
  #socket: Socket | undefined
  /** The server has closed the connection: nobody knows what of the last lines it has read. */
  #isLost = false

  /** `frame` makes of a line what is sent. */
  constructor(target: SocketTarget, frame: (line: string) => string) {
    this.#target = target
    this.#frame = frame
  }

  async send(lines: readonly string[]): Promise<void> {
    if (this.#isLost) {
      this.#isLost = false
      throw new Error('the connection was closed')
    }
    const socket = this.#socket ?? (await this.#open())
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    const fail = () => reject(new Error('the connection was closed'))
    socket.once('close', fail)
    const timer = setTimeout(() => socket.destroy(), this.#target.timeout)
    socket.write(lines.map(this.#frame).join(''), (error) => (error ? reject(error) : resolve()))
    await promise.finally(() => {
      clearTimeout(timer)
      socket.off('close', fail)
      if (socket.destroyed) this.#isLost = false // told by this error
    })
  }

  close(): void {
    this.#socket?.end()
    this.#socket?.unref()
  }

  async #open(): Promise<Socket> {
    const { host, port, tls, timeout, ca } = this.#target
    const servername = isIP(host) === 0 ? host : ''
    const socket = tls
      ? connectTls({ host, port, servername, ...(ca !== undefined && { ca }) })
      : connect({ host, port })
    const timer = setTimeout(() => socket.destroy(new Error(`no connection within ${timeout} ms`)), timeout)
    try {
      await once(socket, tls ? 'secureConnect' : 'connect')
    } finally {
      clearTimeout(timer)
    }
    socket.on('error', () => {}) // close follows
    socket.once('close', () => {
      this.#socket = undefined
      this.#isLost = true
    })
    socket.setKeepAlive(true, keepAliveDelay)
    socket.resume()
    this.#socket = socket
    return socket
  }
}
