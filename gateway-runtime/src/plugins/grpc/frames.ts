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
