import { createSocket, type Socket } from 'node:dgram'
import { isIPv6 } from 'node:net'
import type { LogSink } from '../log-queue.ts'

const mostBytes = 65_000

/** A line a datagram. What is lost on the way is not known. */
export class DatagramSink implements LogSink {
  readonly #host: string
  readonly #port: number
  readonly #frame: (line: string) => string
  readonly #socket: Socket

  constructor({ host, port }: { host: string; port: number }, frame: (line: string) => string) {
    this.#host = host
    this.#port = port
    this.#frame = frame
    this.#socket = createSocket(isIPv6(host) ? 'udp6' : 'udp4')
    this.#socket.unref()
    this.#socket.on('error', () => {}) // of one that nobody takes: there is nothing to do
  }

  async send(lines: readonly string[]): Promise<void> {
    await Promise.all(lines.map((line) => this.#sendOne(this.#frame(line))))
  }

  close(): void {
    this.#socket.close()
  }

  #sendOne(text: string): Promise<void> {
    const datagram = Buffer.from(text).subarray(0, mostBytes)
    return new Promise((resolve, reject) => {
      this.#socket.send(datagram, this.#port, this.#host, (error) => (error ? reject(error) : resolve()))
    })
  }
}
