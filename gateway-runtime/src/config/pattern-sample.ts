import { compilePattern } from './route-pattern.ts'

/**
 * A short text that a regular expression of a route matches from beginning to end; undefined where none was found.
 * It takes the first of alternatives and the fewest repetitions.
 */
export function patternSample(source: string): string | undefined {
  const sample = new Sampler(source).alternatives()
  return compilePattern(source).exec(sample)?.[0] === sample ? sample : undefined
}

const candidates = 'a1A-_/.~b2B =:,;@'

/** Reads an expression that V8 takes, so that nothing of it can be wrong. */
class Sampler {
  readonly #source: string
  #at = 0

  constructor(source: string) {
    this.#source = source
  }

  /** Up to the end of the group, or of the whole. */
  alternatives(): string {
    const first = this.#sequence()
    while (this.#source[this.#at] === '|') {
      this.#at++
      this.#sequence()
    }
    return first
  }

  #sequence(): string {
    let text = ''
    while (this.#at < this.#source.length && !'|)'.includes(this.#source[this.#at]!)) {
      const atom = this.#atom()
      text += atom.repeat(this.#fewest())
    }
    return text
  }

  #atom(): string {
    const [token] = /^(?:\((?:\?:|\?<\w+>)?|\[(?:\\.|[^\]])*\]|\\.|.)/s.exec(this.#source.slice(this.#at))!
    this.#at += token.length
    if (token === '^' || token === '$' || token === '\\b' || token === '\\B') return ''
    if (token.startsWith('(')) {
      const inner = this.alternatives()
      this.#at++
      return inner
    }
    if (!/^[[\\.]/.test(token)) return token
    const single = new RegExp(`^${token}$`)
    return [token.slice(1), ...candidates].find((text) => single.test(text)) ?? ''
  }

  /** How often the atom before must stand, by its quantifier. */
  #fewest(): number {
    const quantifier = /^(?:[*+?]|\{(\d+)(?:,\d*)?\})\??/.exec(this.#source.slice(this.#at))
    if (!quantifier) return 1
    this.#at += quantifier[0].length
    if (quantifier[1] !== undefined) return Number(quantifier[1])
    return quantifier[0].startsWith('+') ? 1 : 0
  }
}
