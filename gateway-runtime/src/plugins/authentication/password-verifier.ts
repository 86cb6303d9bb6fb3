import { hash, randomBytes } from 'node:crypto'
import { ExpiringCache } from './expiring-cache.ts'
import { isPassword, type PasswordHash } from './password-hash.ts'

/** There are too many passwords to verify already. */
export class TooManyPasswords extends Error {
  override readonly name = 'TooManyPasswords'
}

export interface VerifierSettings {
  /** Milliseconds in which an answer is known without reckoning again. */
  readonly remembered: number
  /** How many answers of each kind are known at once. */
  readonly capacity: number
  /** Passwords that are reckoned at once; more wait, up to `waiting`. */
  readonly atOnce: number
  readonly waiting: number
}

/**
 * Verifies passwords, each slowly once and then from memory. What is remembered is kept by a hash with a key of this
 * process: whoever sees the memory of a cache learns no password.
 */
export class PasswordVerifier {
  // In front of what SHA-512/256 is fed, which cannot be extended, a secret makes a MAC, in a third of the time of HMAC.
  readonly #key = randomBytes(32).toString('base64')
  readonly #right: ExpiringCache<true>
  // Apart, so that whoever guesses crowds out no one who is right.
  readonly #wrong: ExpiringCache<true>
  readonly #underWay = new Map<string, Promise<boolean>>()
  readonly #settings: VerifierSettings
  readonly #queue: (() => void)[] = []
  #running = 0

  constructor(settings: VerifierSettings) {
    this.#settings = settings
    this.#right = new ExpiringCache(settings.capacity)
    this.#wrong = new ExpiringCache(settings.capacity)
  }

  /**
   * Whether the password is that of the user: at once where that is remembered.
   * @throws TooManyPasswords
   */
  verify(user: string, password: string, known: PasswordHash): boolean | Promise<boolean> {
    const key = hash('sha512-256', `${this.#key}${user}:${password}`, 'base64')
    if (this.#right.get(key)) return true
    if (this.#wrong.get(key)) return false
    const underWay = this.#underWay.get(key)
    if (underWay) return underWay
    if (this.#running >= this.#settings.atOnce && this.#queue.length >= this.#settings.waiting)
      throw new TooManyPasswords()
    const begun = this.#reckon(key, password, known).finally(() => this.#underWay.delete(key))
    this.#underWay.set(key, begun)
    return begun
  }

  async #reckon(key: string, password: string, known: PasswordHash): Promise<boolean> {
    if (this.#running >= this.#settings.atOnce)
      await new Promise<void>((resolve) => void this.#queue.push(resolve))
    else this.#running++
    try {
      const isRight = await isPassword(password, known)
      const cache = isRight ? this.#right : this.#wrong
      cache.set(key, true, Date.now() + this.#settings.remembered)
      return isRight
    } finally {
      // The place goes to the next one.
      const next = this.#queue.shift()
      if (next) next()
      else this.#running--
    }
  }
}
