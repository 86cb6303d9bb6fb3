import { isIPv4 } from 'node:net'

/** The 4 or 16 bytes of an address; a zone (`%eth0`) is left out. */
export function bytesOfAddress(address: string): number[] {
  if (isIPv4(address)) return address.split('.').map(Number)
  const [head = '', tail] = address.replace(/%.*$/, '').split('::')
  const [first, last] = [bytesOfGroups(head), bytesOfGroups(tail ?? '')]
  return [...first, ...Array<number>(16 - first.length - last.length).fill(0), ...last]
}

const bytesOfGroups = (text: string): number[] =>
  text === ''
    ? []
    : text.split(':').flatMap((group) => {
        if (group.includes('.')) return group.split('.').map(Number)
        const value = Number.parseInt(group, 16)
        return [value >> 8, value & 0xff]
      })

/** The text of 4 or 16 bytes, as RFC 5952 writes it; an IPv4 address within IPv6 as IPv4. */
export function addressOfBytes(bytes: Buffer): string {
  if (bytes.length === 4) return bytes.join('.')
  if (bytes.subarray(0, 10).every((byte) => byte === 0) && bytes.readUInt16BE(10) === 0xffff)
    return bytes.subarray(12).join('.')
  const groups = Array.from({ length: 8 }, (_, index) => bytes.readUInt16BE(index * 2).toString(16))
  return new URL(`http://[${groups.join(':')}]`).hostname.slice(1, -1)
}

/** An IPv4 address as 16 bytes: `::ffff:192.0.2.1`. */
export const mapped = (bytes: number[]): number[] =>
  bytes.length === 16 ? bytes : [...Array<number>(10).fill(0), 0xff, 0xff, ...bytes]
