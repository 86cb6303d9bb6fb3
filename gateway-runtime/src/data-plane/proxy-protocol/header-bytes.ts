import { addressOfBytes, bytesOfAddress, mapped } from './address-bytes.ts'
import type { ConnectionEnds } from './connection-ends.ts'

export type ProxyVersion = 'v1' | 'v2'

const signature = Buffer.from('\r\n\r\n\0\r\nQUIT\n', 'latin1')

/** The PROXY header that tells a target both ends of the connection of a client. */
export function proxyHeaderBytes(version: ProxyVersion, ends: ConnectionEnds): Buffer {
  let source = bytesOfAddress(ends.sourceAddress)
  let destination = bytesOfAddress(ends.destinationAddress)
  if (source.length !== destination.length) [source, destination] = [mapped(source), mapped(destination)]
  return version === 'v1' ? text(source, destination, ends) : binary(source, destination, ends)
}

function text(
  source: number[],
  destination: number[],
  { sourcePort, destinationPort }: ConnectionEnds,
): Buffer {
  const is4 = source.length === 4
  const write = (bytes: number[]) => (is4 ? bytes.join('.') : groups(bytes))
  return Buffer.from(
    `PROXY TCP${is4 ? 4 : 6} ${write(source)} ${write(destination)} ${sourcePort} ${destinationPort}\r\n`,
  )
}

/** An address of IPv6 stays one, whatever is mapped in it. */
function groups(bytes: number[]): string {
  const plain = addressOfBytes(Buffer.from(bytes))
  return plain.includes(':') ? plain : `::ffff:${plain}`
}

function binary(source: number[], destination: number[], ends: ConnectionEnds): Buffer {
  const header = Buffer.alloc(16 + source.length * 2 + 4)
  signature.copy(header)
  header[12] = 0x21
  header[13] = source.length === 4 ? 0x11 : 0x21
  header.writeUInt16BE(header.length - 16, 14)
  header.set([...source, ...destination], 16)
  header.writeUInt16BE(ends.sourcePort, header.length - 4)
  header.writeUInt16BE(ends.destinationPort, header.length - 2)
  return header
}
