import type { Socket } from 'node:net'
import type { Fields } from '../fields.ts'
import { sendSoon } from '../write-batch.ts'
import { writeCopy } from './write-buffers.ts'

const largestText = 4_096 // a piece of body up to which it costs less as text
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
  /** What is done when all was sent. */
  #ending: (() => void) | undefined
  #ended = false

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
    this.#piece(chunk, '')
  }

  /** One piece of a chunked body (RFC 9112 section 7.1). */
  framedChunk(chunk: Buffer): void {
    this.#text += `${chunk.length.toString(16)}\r\n`
    this.#piece(chunk, '\r\n')
  }

  #piece(chunk: Buffer, after: string): void {
    if (chunk.length <= largestText) {
      this.#text += chunk.toString('latin1') + after
      return
    }
    const text = this.#take()
    if (!this.#socket.destroyed) writeCopy(this.#socket, text, chunk, after)
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
    if (this.#text !== '') {
      const text = this.#take()
      if (!this.#socket.destroyed) this.#socket.write(text, 'latin1')
    }
    const ending = this.#ending
    this.#ending = undefined
    ending?.()
  }

  /** Whether nothing more can be sent. */
  get ended(): boolean {
    return this.#ended
  }

  /** Sends what was collected, and then that there is no more; `onSent`: the system has taken all of it. */
  end(onSent?: () => void): void {
    this.#endBy(() => this.#socket.end(onSent))
  }

  /** Sends what was collected, and closes the connection when the system has taken it: for a peer that sends no more. */
  close(): void {
    const socket = this.#socket
    this.#endBy(() => {
      if (socket.writableLength === 0) socket.destroy()
      else socket.end(() => socket.destroy())
    })
  }

  #endBy(ending: () => void): void {
    if (this.#ended) return
    this.#ended = true
    this.#ending = ending
    if (this.#isDue) return
    this.#isDue = true
    sendSoon(this)
  }

  #take(): string {
    const text = this.#text
    this.#text = ''
    this.#isHeld = false
    return text
  }

  /** Whether the peer takes more; where not, wait for `drain` before giving more. */
  get hasRoom(): boolean {
    return !this.#socket.writableNeedDrain
  }
}
