import type { Factors } from '../regex/factors.ts'
import { PhraseMatcher } from '../regex/phrase-matcher.ts'
import { remembering } from '../remembering.ts'

const nothing: readonly number[] = []

/**
 * Tells in one pass over a text which of many patterns may match it: those whose requirements it meets. Ordinary texts
 * meet those of hardly any.
 */
export class Screen {
  readonly #matcher: PhraseMatcher
  readonly #requirementsOf: readonly (readonly number[])[]
  /** For each requirement the patterns of which it is the rarest. */
  readonly #patternsOf: readonly (readonly number[])[]
  /** Indices of the patterns that may match. */
  readonly possible: (text: string) => readonly number[]

  /** @param patterns - for each pattern what it requires, at least one thing, the rarest first */
  constructor(patterns: readonly (readonly Factors[])[]) {
    const indices = new Map<string, number>()
    const lists: Factors[] = []
    const indexOf = (factors: Factors) => {
      const key = JSON.stringify(factors)
      const known = indices.get(key)
      if (known !== undefined) return known
      indices.set(key, lists.length)
      return lists.push(factors) - 1
    }
    this.#requirementsOf = patterns.map((requirements) => requirements.map(indexOf))
    const patternsOf: number[][] = lists.map(() => [])
    this.#requirementsOf.forEach(([rarest], pattern) => {
      patternsOf[rarest!]!.push(pattern)
    })
    this.#patternsOf = patternsOf
    this.#matcher = new PhraseMatcher(lists)
    this.possible = remembering((text) => this.#screen(text))
  }

  #screen(text: string): readonly number[] {
    const met = this.#matcher.lists(text)
    if (met.size === 0) return nothing
    const possible: number[] = []
    for (const requirement of met) {
      for (const pattern of this.#patternsOf[requirement]!) {
        if (this.#requirementsOf[pattern]!.every((one) => met.has(one))) possible.push(pattern)
      }
    }
    return possible.length > 0 ? possible : nothing
  }
}
