import { compilePattern } from './route-pattern.ts'

/*
 * What can be said for certain of all texts that a regular expression matches. Where something cannot be said, the
 * answer is the one that claims less.
 */

/** What every text that an expression matches begins with; '' where that is not certain. */
export function literalPrefix(source: string): string {
  if (hasAlternatives(source)) return ''
  let text = ''
  for (let at = 0; at < source.length; ) {
    const [token, literal] = /^(?:\\([^\w])|([^\\^$.|?*+()[\]{}]))/s.exec(source.slice(at)) ?? []
    if (token === undefined) break
    at += token.length
    if (/[?*{]/.test(source[at] ?? '')) break
    text += literal ?? token
    if (source[at] === '+') break
  }
  return text
}

/** A regular expression that is asked about many texts. */
export class PatternExtent {
  readonly source: string
  /** What every text that it matches begins with; '' where that is not certain. */
  readonly start: string
  readonly #pattern: RegExp
  readonly #hasAssertion: boolean

  constructor(source: string) {
    this.source = source
    this.start = literalPrefix(source)
    this.#pattern = compilePattern(source)
    this.#hasAssertion = hasAssertion(source)
  }

  matches(text: string): boolean {
    return this.#pattern.test(text)
  }

  /** Whether it matches every text that begins so: without assertions, what comes behind a match is all the same. */
  matchesAllFrom(prefix: string): boolean {
    return !this.#hasAssertion && this.matches(prefix)
  }

  /** Whether it matches every text that another matches. */
  takesAll(other: PatternExtent): boolean {
    return this.source === other.source || this.matchesAllFrom(other.start)
  }
}

function hasAlternatives(source: string): boolean {
  const bare = withoutClasses(source)
  let depth = 0
  for (const character of bare) {
    if (character === '(') depth++
    else if (character === ')') depth--
    else if (character === '|' && depth === 0) return true
  }
  return false
}

const hasAssertion = (source: string) => /[$^]|\\[bB]/.test(withoutClasses(source))

/** Escapes go first, all but those that are assertions: a class ends at the first bracket that is none. */
const withoutClasses = (source: string) => source.replace(/\\[^bB]/gs, '.').replace(/\[[^\]]*\]/g, '.')
