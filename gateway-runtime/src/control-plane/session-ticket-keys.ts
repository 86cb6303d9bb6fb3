import { randomBytes } from 'node:crypto'

/**
 * What the session tickets of this node are encrypted with (RFC 5077 section 4, RFC 8446 section 4.6.1): 48 random
 * bytes that no disk and no log ever sees, and that are thrown away at every rotation, so that nobody who takes the
 * node over can read what was recorded before.
 */
export class SessionTicketKeys {
  readonly #onRotation: (keys: Uint8Array) => void
  #current = randomBytes(48)
  #timer: NodeJS.Timeout | undefined
  #interval = 0
  #isShared = false

  constructor(onRotation: (keys: Uint8Array) => void) {
    this.#onRotation = onRotation
  }

  get current(): Uint8Array {
    return this.#current
  }

  /** Makes new keys every so many milliseconds. */
  rotateEvery(interval: number): void {
    if (interval === this.#interval || this.#isShared) return
    clearInterval(this.#timer)
    this.#interval = interval
    this.#timer = setInterval(() => this.#rotate(), interval).unref()
  }

  /** Takes those that all nodes have; from then on they change when the nodes' do. */
  useShared(keys: Uint8Array): void {
    clearInterval(this.#timer)
    this.#isShared = true
    this.#current = Buffer.from(keys)
    this.#onRotation(this.#current)
  }

  close(): void {
    clearInterval(this.#timer)
  }

  #rotate(): void {
    this.#current = randomBytes(48)
    this.#onRotation(this.#current)
  }
}
