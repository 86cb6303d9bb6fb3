import { isIPv4, isIPv6 } from 'node:net'

/** Parts of an address as one number: 32 bits of IPv4, 128 of IPv6. */
type Bits = number | bigint

interface Network {
  readonly bits: Bits
  /** Of the front: 0 to 32, or to 128. */
  readonly length: number
}

/** Networks of one length: the bits of the front → the network as it was written. */
interface Table {
  readonly length: number
  readonly networks: Map<Bits, string>
}

/**
 * Addresses and networks, of which the one that an address is in is found at a cost that does not grow with their
 * number: one look for each length that a network has, from the longest on.
 */
export class NetworkSet {
  readonly #ipv4: Table[] = []
  readonly #ipv6: Table[] = []

  /** `192.0.2.1`, `10.0.0.0/8`, `2001:db8::/32`. Throws TypeError for what is none. */
  constructor(networks: readonly string[]) {
    for (const text of networks) {
      const network = parseNetwork(text)
      if (!network) throw new TypeError(`not an address or a network: ${text}`)
      const tables = typeof network.bits === 'number' ? this.#ipv4 : this.#ipv6
      let table = tables.find(({ length }) => length === network.length)
      if (!table) {
        table = { length: network.length, networks: new Map() }
        tables.push(table)
      }
      table.networks.set(front(network), text)
    }
    for (const tables of [this.#ipv4, this.#ipv6]) tables.sort((a, b) => b.length - a.length)
  }

  /** The narrowest network that an address is in, as it was written; undefined where it is in none. */
  find(address: string): string | undefined {
    const bits = addressBits(address)
    if (bits === undefined) return undefined
    for (const { length, networks } of typeof bits === 'number' ? this.#ipv4 : this.#ipv6) {
      const found = networks.get(front({ bits, length }))
      if (found !== undefined) return found
    }
    return undefined
  }
}

/** Whether a text is an address or a network. */
export const isNetwork = (text: string): boolean => parseNetwork(text) !== undefined

const front = ({ bits, length }: Network): Bits =>
  typeof bits === 'bigint'
    ? bits >> BigInt(128 - length)
    : length === 0 // a shift by 32 is none
      ? 0
      : bits >>> (32 - length)

function parseNetwork(text: string): Network | undefined {
  const [address = '', given, ...rest] = text.split('/')
  if (rest.length > 0 || (given !== undefined && !/^\d{1,3}$/.test(given))) return undefined
  if (address.includes('%')) return undefined
  const bits = addressBits(address)
  if (bits === undefined) return undefined
  const isMapped = typeof bits === 'number' && address.includes(':')
  const longest = typeof bits === 'number' ? 32 : 128
  const length = given === undefined ? longest : Number(given) - (isMapped ? 96 : 0)
  return length < 0 || length > longest ? undefined : { bits, length }
}

/** Undefined for what is no address. IPv4 within IPv6 (`::ffff:192.0.2.1`) counts as IPv4; a zone (`%eth0`) is left out. */
function addressBits(address: string): Bits | undefined {
  if (isIPv4(address)) return ipv4Bits(address)
  if (!isIPv6(address)) return undefined
  const bits = ipv6Bits(address.split('%')[0]!)
  return bits >> 32n === 0xffffn ? Number(bits & 0xffff_ffffn) : bits
}

function ipv4Bits(address: string): number {
  let bits = 0
  for (const octet of address.split('.')) bits = bits * 256 + Number(octet)
  return bits
}

/** RFC 4291 section 2.2. */
function ipv6Bits(address: string): bigint {
  const [head = '', tail] = address.split('::')
  const front = hexadecimal(head)
  const back = hexadecimal(tail ?? '')
  return BigInt(`0x${front}${'0'.repeat(32 - front.length - back.length)}${back}`)
}

/** Groups, the last of which may be an IPv4 address, as 4 digits each. */
function hexadecimal(groups: string): string {
  if (groups === '') return ''
  let digits = ''
  for (const group of groups.split(':'))
    digits += group.includes('.') ? ipv4Bits(group).toString(16).padStart(8, '0') : group.padStart(4, '0')
  return digits
}
