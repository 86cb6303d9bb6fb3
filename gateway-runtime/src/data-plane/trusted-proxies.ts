import { BlockList, isIPv4, isIPv6 } from 'node:net'

/** Tells the client's address where proxies stand in front of the gateway. */
export class TrustedProxies {
  readonly #networks = new BlockList()
  readonly #isEmpty: boolean

  /** Addresses and networks (`10.0.0.0/8`) that are believed. */
  constructor(networks: readonly string[]) {
    this.#isEmpty = networks.length === 0
    for (const network of networks) {
      const [address, length] = network.split('/') as [string, string | undefined]
      const family = isIPv4(address) ? 'ipv4' : 'ipv6'
      this.#networks.addSubnet(address, Number(length ?? (family === 'ipv4' ? 32 : 128)), family)
    }
  }

  trusts(address: string): boolean {
    if (this.#isEmpty) return false
    return this.#networks.check(address, isIPv6(address) ? 'ipv6' : 'ipv4')
  }

  /**
   * The nearest address that is not a trusted proxy's, from the peer backwards through X-Forwarded-For.
   * What stands before the first address that is not trusted may be invented, and is not looked at.
   */
  clientAddress(peer: string, forwardedFor: string | undefined): string {
    if (!forwardedFor || !this.trusts(peer)) return peer
    let client = peer
    for (const entry of forwardedFor.split(',').reverse()) {
      const address = entry.trim().replace(/^\[(.*)\](:\d+)?$/, '$1')
      if (!isIPv4(address) && !isIPv6(address)) return client
      client = address
      if (!this.trusts(address)) return client
    }
    return client
  }
}

/** A peer's address as people write it: an IPv4 client of a dual-stack socket is not `::ffff:192.0.2.1`. */
export const plainAddress = (address: string | undefined): string =>
  address === undefined ? '' : address.startsWith('::ffff:') ? address.substring(7) : address
