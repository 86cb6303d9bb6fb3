import { flightBytes } from './flights.ts'

const places = 8_192

/** In front of those of flights. */
const changeBytes = places * 8

/** Bytes at the end of the memory that are not the store's: of changes, and of flights. */
export const reservedBytes = changeBytes + flightBytes

/**
 * When resources were changed last, by any worker of the node: what was asked for before is no longer true, whichever
 * route or consumer it was kept for, and also where it is still on its way (RFC 9111 section 4.4). Resources that share
 * a place are taken to have changed together: that costs a question to the service, and no more.
 */
export class ChangedResources {
  readonly #times: Float64Array
  readonly #hash: (target: string) => number

  /**
   * @param memory - zeroed when the first worker sees it
   * @param hash - the same for all workers, and not to be foreseen from outside
   */
  constructor(memory: SharedArrayBuffer, hash: (target: string) => number) {
    this.#times = new Float64Array(memory, memory.byteLength - reservedBytes, places)
    this.#hash = hash
  }

  /** @param target - path and query */
  note(target: string): void {
    this.#times[this.#placeOf(target)] = Date.now()
  }

  /** Whether what was asked for then, in milliseconds since 1970, was asked for before the last change. */
  isOutdated(target: string, askedAt: number): boolean {
    return this.#times[this.#placeOf(target)]! >= askedAt
  }

  #placeOf(target: string): number {
    return (this.#hash(target) >>> 1) % places
  }
}
