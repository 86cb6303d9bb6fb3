/** Messages as gRPC frames them, in HTTP/2 as in gRPC-Web: a byte of flags, four of length, the message. */

const headBytes = 5
const trailersFlag = 0x80

export function frame(message: Uint8Array, flags = 0): Buffer {
  const framed = Buffer.allocUnsafe(headBytes + message.length)
  framed[0] = flags
  framed.writeUInt32BE(message.length, 1)
  framed.set(message, headBytes)
  return framed
}

/** Trailers as gRPC-Web has them: the last frame of a body (grpc/doc/PROTOCOL-WEB.md). */
export function trailersFrame(trailers: readonly (readonly [name: string, value: string])[]): Buffer {
  const text = trailers.map(([name, value]) => `${name}: ${value}\r\n`).join('')
  return frame(Buffer.from(text, 'latin1'), trailersFlag)
}

/** What grpc-message holds: UTF-8, percent-encoded (grpc/doc/PROTOCOL-HTTP2.md). */
export const encodeMessage = (text: string): string =>
  encodeURIComponent(text).replaceAll('%20', ' ').replaceAll('%2C', ',')

/** A message is longer than is taken, or compressed where nobody asked for that. */
export class BadFrame extends Error {}

/** Takes bytes as they come and gives whole messages. */
export class FrameReader {
  readonly #limit: number
  #rest: Buffer = Buffer.alloc(0)

  /** `limit`: bytes of a message at most. */
  constructor(limit: number) {
    this.#limit = limit
  }

  /** Whether nothing of a message is left over. */
  get isEmpty(): boolean {
    return this.#rest.length === 0
  }

  /** @throws BadFrame */
  read(chunk: Buffer): Buffer[] {
    this.#rest = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk])
    const messages: Buffer[] = []
    while (this.#rest.length >= headBytes) {
      if (this.#rest[0] !== 0) throw new BadFrame('a message is compressed')
      const end = headBytes + this.#rest.readUInt32BE(1)
      if (end > this.#limit + headBytes) throw new BadFrame(`a message has more than ${this.#limit} bytes`)
      if (this.#rest.length < end) break
      messages.push(this.#rest.subarray(headBytes, end))
      this.#rest = this.#rest.subarray(end)
    }
    return messages
  }
}

/** What grpc-message says. */
export function decodeMessage(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}
