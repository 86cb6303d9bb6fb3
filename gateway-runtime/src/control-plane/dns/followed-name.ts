import type { Dns } from '../../config/dns-settings.ts'
import type { Family, FamilyAnswer } from './resolve-name.ts'

/** What is known of a name. */
export interface NameState {
  /** In force: those last found, IPv6 first, in order. */
  readonly addresses: readonly string[]
  /** Why the last resolution found none; undefined where it did. */
  readonly problem: string | undefined
  readonly resolutions: number
  readonly failures: number
}

/** What follows from a resolution. */
export interface Outcome {
  readonly state: NameState
  /** When to ask again: milliseconds from now. */
  readonly askIn: number
}

const longestBackoff = 30_000
const jitter = 0.1

/** What is known of one name, resolution by resolution. */
export class FollowedName {
  readonly #known = new Map<Family, readonly string[]>()
  #problem: string | undefined
  #resolutions = 0
  #failures = 0
  #failuresInARow = 0

  get state(): NameState {
    return {
      addresses: [...(this.#known.get(6) ?? []), ...(this.#known.get(4) ?? [])],
      problem: this.#problem,
      resolutions: this.#resolutions,
      failures: this.#failures,
    }
  }

  /**
   * Takes the answers in. Where they have no address, those known before stay in force, and it is asked again after a
   * growing while. `random`: from 0 to 1.
   */
  learn(answers: readonly FamilyAnswer[], settings: Dns, random: number): Outcome {
    this.#resolutions++
    const found = answers.filter((answer) => answer.kind === 'found')
    this.#problem = found.length > 0 ? undefined : problemOf(answers)
    if (this.#problem !== undefined) {
      this.#failures++
      const backoff = Math.min(settings.min_ttl * 2 ** this.#failuresInARow++, longestBackoff)
      return this.#outcome(Math.min(backoff, settings.max_ttl), random)
    }
    this.#failuresInARow = 0
    this.#replace(answers)
    const ttl = Math.min(...found.map((answer) => answer.ttl))
    return this.#outcome(Math.min(Math.max(ttl, settings.min_ttl), settings.max_ttl), random)
  }

  /** Of a family that could not be asked for, what was known stays; so it does not of one that is not used now. */
  #replace(answers: readonly FamilyAnswer[]): void {
    const before = new Map(this.#known)
    this.#known.clear()
    for (const answer of answers) {
      const kept = answer.kind === 'failed' ? (before.get(answer.family) ?? []) : []
      this.#known.set(answer.family, answer.kind === 'found' ? [...answer.addresses].sort() : kept)
    }
  }

  #outcome(delay: number, random: number): Outcome {
    // Later, never sooner: a resolver that caches would answer with the rest of the same TTL.
    return { state: this.state, askIn: delay * (1 + jitter * random) }
  }
}

/** A failure says more than that there is nothing: the other family may be there. */
const problemOf = (answers: readonly FamilyAnswer[]): string =>
  (answers.find((answer) => answer.kind === 'failed') ?? answers.find((answer) => answer.kind === 'none'))!
    .reason
