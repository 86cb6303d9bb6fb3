import { isIPv6, type LookupFunction, type Socket } from 'node:net'

/**
 * Milliseconds until an address that does not answer is given up for the next (RFC 8305 section 5, Connection Attempt
 * Delay). Node.js ends the attempt then, so targets that are far away must be given longer.
 */
const attemptTimeout = { usual: 250, longest: 2_000 }
/** How long an address that did not answer, or refused, is tried after the others only. */
const avoidance = 30_000

/** Settings of `net.connect` and `tls.connect`. */
export interface Resolution {
  readonly lookup: LookupFunction
  readonly autoSelectFamily: true
  readonly autoSelectFamilyAttemptTimeout: number
}

/**
 * The addresses of a target that has a name. Every connection begins with another one, and goes on to the next where
 * that does not answer: IPv6 first, then the families by turns (RFC 8305 section 4), and those last that failed lately.
 */
export class AddressRotation {
  readonly #now: () => number
  #addresses: readonly string[] = []
  readonly #avoidedUntil = new Map<string, number>()
  #size = 0
  #attemptTimeout = attemptTimeout.usual
  #turn = Math.floor(Math.random() * 0x1_0000)

  /** `now` gives milliseconds of a monotonic clock. */
  constructor(now: () => number = () => performance.now()) {
    this.#now = now
  }

  /** Goes on with these. Returns whether they are others than before; both in the order of the resolver. */
  replace(addresses: readonly string[]): boolean {
    if (addresses.join() === this.#addresses.join()) return false
    this.#addresses = addresses
    for (const address of this.#avoidedUntil.keys())
      if (!addresses.includes(address)) this.#avoidedUntil.delete(address)
    this.#usable()
    return true
  }

  /** How many addresses connections are spread over: those of the family that is tried first. */
  get size(): number {
    return this.#size
  }

  /** Opens a connection, to the first address that answers. */
  connect(open: (resolution: Resolution) => Socket): Socket {
    const socket = open({
      lookup: this.#lookup,
      autoSelectFamily: true,
      autoSelectFamilyAttemptTimeout: this.#attemptTimeout,
    })
    let startedAt = this.#now()
    const avoid = (address: string) => this.#avoid(address)
    socket.on('connectionAttempt', () => {
      startedAt = this.#now()
    })
    socket.once('connect', () => this.#learnTime(this.#now() - startedAt))
    socket.on('connectionAttemptFailed', avoid)
    socket.on('connectionAttemptTimeout', avoid)
    return socket
  }

  /** For `net.connect` without `autoSelectFamily`: the first address alone of those that `next` gives. */
  readonly lookupOne: LookupFunction = (host, _options, callback) => {
    const [address] = this.next()
    if (address === undefined) callback(noAddresses(host), '')
    else callback(null, address, isIPv6(address) ? 6 : 4)
  }

  /** The order in which a connection that is opened now tries them, but for the turns that the families take. */
  next(): readonly string[] {
    const turn = this.#turn++
    const usable = this.#usable()
    const last = this.#addresses.filter((address) => !usable.includes(address))
    return [usable, last].flatMap((part) => byFamily(part).flatMap((family) => rotated(family, turn)))
  }

  /** Twice what it took: a little more than usual is no reason to give up. */
  #learnTime(milliseconds: number): void {
    const { usual, longest } = attemptTimeout
    this.#attemptTimeout = Math.min(Math.max(Math.ceil(2 * milliseconds), usual), longest)
  }

  #avoid(address: string): void {
    this.#avoidedUntil.set(address, this.#now() + avoidance)
    this.#usable()
  }

  /** The addresses that did not fail lately; all where all did. Counted at once: `size` is asked for often. */
  #usable(): readonly string[] {
    const now = this.#now()
    const good = this.#addresses.filter((address) => (this.#avoidedUntil.get(address) ?? 0) <= now)
    const usable = good.length > 0 ? good : this.#addresses
    const [ipv6, ipv4] = byFamily(usable)
    this.#size = ipv6.length || ipv4.length
    return usable
  }

  readonly #lookup: LookupFunction = (host, _options, callback) => {
    const addresses = this.next().map((address) => ({ address, family: isIPv6(address) ? 6 : 4 }))
    if (addresses.length > 0) return callback(null, addresses)
    callback(noAddresses(host), [])
  }
}

const noAddresses = (host: string) =>
  Object.assign(new Error(`${host} has no addresses`), { code: 'ENOTFOUND' })

function byFamily(addresses: readonly string[]): [ipv6: readonly string[], ipv4: readonly string[]] {
  return [addresses.filter((address) => isIPv6(address)), addresses.filter((address) => !isIPv6(address))]
}

function rotated(addresses: readonly string[], turn: number): string[] {
  const first = turn % Math.max(addresses.length, 1)
  return [...addresses.slice(first), ...addresses.slice(0, first)]
}
