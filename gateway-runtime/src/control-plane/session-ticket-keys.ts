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
    if (interval === this.#interval) return
    this.#interval = interval
    this.#startTimer()
  }

  /**
   * Takes those that all nodes have; from then on they change when the nodes' do. Where none come in twice the time,
   * because the store is out of reach, this node makes its own.
   */
  useShared(keys: Uint8Array): void {
    this.#isShared = true
    this.#startTimer()
    this.#current = Buffer.from(keys)
    this.#onRotation(this.#current)
  }

  close(): void {
    clearInterval(this.#timer)
  }

  #startTimer(): void {
    clearInterval(this.#timer)
    if (this.#interval === 0) return
    const time = this.#isShared ? 2 * this.#interval : this.#interval
    this.#timer = setInterval(() => this.#rotate(), time).unref()
  }

  #rotate(): void {
    this.#current = randomBytes(48)
    this.#onRotation(this.#current)
  }
}
