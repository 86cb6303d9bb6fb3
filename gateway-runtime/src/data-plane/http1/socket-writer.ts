import type { Socket } from 'node:net'
import type { Fields } from '../fields.ts'
import { sendSoon } from './write-batch.ts'

const smallest = 8_192 // a piece of body from which a copy costs more than a second entry in the write
const mostWaiting = 16_384 // of text: more is sent at once

/**
 * Collects what one turn of the event loop has to say to a socket, so that a head and a small body leave in one write
 * (and, over TLS, in one record).
 */
export class SocketWriter {
  readonly #socket: Socket
  #text = ''
  /** Whether all of the text may still be taken back. */
  #isHeld = false
  #isDue = false

  constructor(socket: Socket) {
    this.#socket = socket
  }

  /** Sends what was collected before, and begins what can be taken back until it is sent. */
  begin(): void {
    this.send()
    this.#isHeld = true
  }

  /** Forgets what was collected since `begin`; false where some of it was sent. */
  takeBack(): boolean {
    if (!this.#isHeld) return false
    this.#text = ''
    return true
  }

  /** Latin-1 text: heads and the framing of chunks. */
  text(text: string): void {
    this.#text += text
  }

  /** The chunk is used again as soon as this returns. */
  chunk(chunk: Buffer): void {
    if (chunk.length < smallest) {
      this.#text += chunk.toString('latin1')
      return
    }
    const socket = this.#socket
    socket.cork()
    this.send()
    socket.write(Buffer.from(chunk))
    process.nextTick(uncork, socket)
  }

  /** One piece of a chunked body (RFC 9112 section 7.1). */
  framedChunk(chunk: Buffer): void {
    this.#text += `${chunk.length.toString(16)}\r\n`
    this.chunk(chunk)
    this.#text += '\r\n'
  }

  /** The end of a chunked body, with its trailers (RFC 9112 section 7.1.2). */
  lastChunk(trailers: Fields | undefined): void {
    this.#text += '0\r\n'
    if (trailers) {
      for (const [index, name] of trailers.names.entries())
        this.#text += `${name.raw}: ${trailers.values[index]}\r\n`
    }
    this.#text += '\r\n'
  }

  /** Sends what was collected, at the end of this turn of the event loop; much of it at once. */
  flush(): void {
    if (this.#text.length > mostWaiting) return this.send()
    if (this.#isDue || this.#text === '') return
    this.#isDue = true
    sendSoon(this)
  }

  /** Sends what was collected, at once. */
  send(): void {
    this.#isDue = false
    if (this.#text === '') return
    const text = this.#text
    this.#text = ''
    this.#isHeld = false
    if (!this.#socket.destroyed) this.#socket.write(text, 'latin1')
  }

  /** Sends what was collected, and then that there is no more. */
  end(): void {
    this.send()
    this.#socket.end()
  }

  /** Whether the peer takes more; where not, wait for `drain` before giving more. */
  get hasRoom(): boolean {
    return !this.#socket.writableNeedDrain
  }
}

const uncork = (socket: Socket): void => socket.uncork()
