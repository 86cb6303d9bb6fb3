import type { LookupFunction } from 'node:net'
import { isIPv6 } from 'node:net'

/**
 * The addresses of a target that has a name. Every connection begins with another one, and goes on to the next where
 * that does not answer: IPv6 first, then by turns (RFC 8305 section 4).
 */
export class AddressRotation {
  #ipv6: readonly string[] = []
  #ipv4: readonly string[] = []
  #turn = Math.floor(Math.random() * 0x1_0000)

  /** Returns whether they are others than before; both in the order of the resolver. */
  replace(addresses: readonly string[]): boolean {
    const before = [...this.#ipv6, ...this.#ipv4].join()
    this.#ipv6 = addresses.filter((address) => isIPv6(address))
    this.#ipv4 = addresses.filter((address) => !isIPv6(address))
    return addresses.join() !== before
  }

  /** How many addresses connections are spread over: those of the family that is tried first. */
  get size(): number {
    return this.#ipv6.length || this.#ipv4.length
  }

  /** For `net.connect` with `autoSelectFamily`, which takes the families by turns. */
  readonly lookup: LookupFunction = (host, _options, callback) => {
    const turn = this.#turn++
    const addresses = [
      ...rotated(this.#ipv6, turn).map((address) => ({ address, family: 6 })),
      ...rotated(this.#ipv4, turn).map((address) => ({ address, family: 4 })),
    ]
    if (addresses.length > 0) return callback(null, addresses)
    callback(noAddresses(host), [])
  }

  /** For `net.connect` without it: one address alone, at each call the next of all. */
  readonly lookupOne: LookupFunction = (host, _options, callback) => {
    const all = [...this.#ipv6, ...this.#ipv4]
    const address = all[this.#turn++ % Math.max(all.length, 1)]
    if (address === undefined) callback(noAddresses(host), '')
    else callback(null, address, isIPv6(address) ? 6 : 4)
  }
}

const noAddresses = (host: string) =>
  Object.assign(new Error(`${host} has no addresses`), { code: 'ENOTFOUND' })

function rotated(addresses: readonly string[], turn: number): string[] {
  const first = turn % Math.max(addresses.length, 1)
  return [...addresses.slice(first), ...addresses.slice(0, first)]
}
