import { isIPv4, isIPv6 } from 'node:net'
import { addressOfBytes, bytesOfAddress } from './address-bytes.ts'
import type { ConnectionEnds } from './connection-ends.ts'
import { crc32c } from './crc32c.ts'

/*
 * PROXY protocol, versions 1 and 2: https://www.haproxy.org/download/3.2/doc/proxy-protocol.txt
 */

export interface ProxyHeader {
  /** Bytes of the header; what follows is the connection's own. */
  readonly length: number
  /** Undefined: the proxy speaks for itself (LOCAL, a health check), or does not know the client (UNKNOWN, UNSPEC). */
  readonly ends: ConnectionEnds | undefined
}

/** The bytes are no PROXY header, and no more of them could make them one. */
export class ProxyHeaderError extends Error {
  override readonly name = 'ProxyHeaderError'
}

const longestText = 107 // section 2.1, with the line end
const longestBinary = 4_096
const fixedPart = 16
const textBegin = Buffer.from('PROXY ')
const signature = Buffer.from('\r\n\r\n\0\r\nQUIT\n', 'latin1')
const checksumType = 0x03

/**
 * The PROXY header at the head of what a connection has sent so far; undefined: it is not complete yet.
 * @throws ProxyHeaderError as soon as it cannot become one
 */
export function parseProxyHeader(bytes: Buffer): ProxyHeader | undefined {
  if (startsAs(bytes, signature)) return parseBinary(bytes)
  if (startsAs(bytes, textBegin)) return parseText(bytes)
  throw new ProxyHeaderError('no PROXY header')
}

/** Whether the bytes and what is expected are the same as far as there are both. */
function startsAs(bytes: Buffer, expected: Buffer): boolean {
  const length = Math.min(bytes.length, expected.length)
  return bytes.compare(expected, 0, length, 0, length) === 0
}

function parseText(bytes: Buffer): ProxyHeader | undefined {
  const end = bytes.subarray(0, longestText).indexOf('\r\n')
  if (end < 0) {
    if (bytes.length >= longestText)
      throw new ProxyHeaderError('the line of version 1 is longer than 107 bytes')
    return undefined
  }
  const line = bytes.toString('latin1', 0, end)
  const length = end + 2
  if (/^PROXY UNKNOWN(?: |$)/.test(line)) return { length, ends: undefined }
  const [, family, source, destination, sourcePort, destinationPort] =
    /^PROXY TCP([46]) ([0-9A-Fa-f.:]+) ([0-9A-Fa-f.:]+) (0|[1-9]\d{0,4}) (0|[1-9]\d{0,4})$/.exec(line) ?? []
  const isAddress = family === '4' ? isIPv4 : isIPv6
  if (!family || !isAddress(source!) || !isAddress(destination!)) {
    throw new ProxyHeaderError('the line of version 1 is malformed')
  }
  const ends = {
    sourceAddress: canonical(source!),
    sourcePort: Number(sourcePort),
    destinationAddress: canonical(destination!),
    destinationPort: Number(destinationPort),
  }
  if (ends.sourcePort > 65_535 || ends.destinationPort > 65_535)
    throw new ProxyHeaderError('a port of version 1 is past 65535')
  return { length, ends }
}

/** One text for one address: limits and logs go by it. */
const canonical = (address: string): string => addressOfBytes(Buffer.from(bytesOfAddress(address)))

function parseBinary(bytes: Buffer): ProxyHeader | undefined {
  const command = bytes[12]
  if (command !== undefined && command !== 0x20 && command !== 0x21)
    throw new ProxyHeaderError('a version or command that version 2 does not know')
  const family = bytes[13]
  if (family !== undefined && command === 0x21) checkFamily(family)
  if (bytes.length < fixedPart) return undefined
  const length = fixedPart + bytes.readUInt16BE(14)
  if (length > longestBinary) throw new ProxyHeaderError(`longer than ${longestBinary} bytes`)
  const size = command === 0x21 ? (addressSizes.get(family!) ?? 0) : 0
  const addressesEnd = fixedPart + size * 2 + (size === 0 ? 0 : 4)
  if (length < addressesEnd) throw new ProxyHeaderError('too short for its addresses')
  if (bytes.length < length) return undefined
  // Without addresses, what follows may be anything (section 2.2): it is skipped.
  if (size === 0) return { length, ends: undefined }
  checkExtensions(bytes.subarray(0, length), addressesEnd)
  const at = fixedPart
  return {
    length,
    ends: {
      sourceAddress: addressOfBytes(bytes.subarray(at, at + size)),
      sourcePort: bytes.readUInt16BE(at + size * 2),
      destinationAddress: addressOfBytes(bytes.subarray(at + size, at + size * 2)),
      destinationPort: bytes.readUInt16BE(at + size * 2 + 2),
    },
  }
}

/** Family and transport → bytes of an address: TCP over IPv4 and IPv6, and "unspecified". */
const addressSizes = new Map([
  [0x00, 0],
  [0x11, 4],
  [0x21, 16],
])

function checkFamily(family: number): void {
  if (!addressSizes.has(family)) throw new ProxyHeaderError('neither TCP over IPv4 nor over IPv6')
}

/** What follows the addresses is skipped, but it must be whole, and a checksum must be right. */
function checkExtensions(header: Buffer, from: number): void {
  for (let at = from; at < header.length; ) {
    const end = at + 3 > header.length ? Number.POSITIVE_INFINITY : at + 3 + header.readUInt16BE(at + 1)
    if (end > header.length) throw new ProxyHeaderError('an extension that is cut off')
    if (header[at] === checksumType) checkChecksum(header, at + 3, end)
    at = end
  }
}

function checkChecksum(header: Buffer, from: number, end: number): void {
  if (end - from !== 4) throw new ProxyHeaderError('a checksum that has not four bytes')
  const zeroed = Buffer.from(header).fill(0, from, end)
  if (crc32c(zeroed) !== header.readUInt32BE(from)) throw new ProxyHeaderError('the checksum is wrong')
}
