import { hash } from 'node:crypto'
import { RE2JS } from 're2js'
import { loadRustRegex } from '../native-packages.ts'
import type { Pattern } from './pattern.ts'
import { writePattern } from './pattern-writer.ts'

/** A regular expression that takes time in proportion to its text, whatever the text. Text is latin1. */
export interface LinearRegex {
  test(text: string): boolean
  /** The first match and its groups, '' for those that took no part; undefined where it does not match. */
  match(text: string): string[] | undefined
}

/** Several expressions, tried in one pass. */
export interface LinearRegexSet {
  /** Indices of those that match. */
  matches(text: string): readonly number[]
}

let loaded: ReturnType<typeof loadRustRegex> | undefined
const rust = () => {
  loaded ??= loadRustRegex()
  return loaded
}

/** The form of a pattern that compileSet takes: shorter to keep than the pattern. */
export const writeForSet = (pattern: Pattern): string => writePattern(pattern, 'rust')

/** Sets in use: a firewall whose settings change, or a second one with the same rules, compiles none again. */
const sets = new Map<string, WeakRef<LinearRegexSet>>()
const unusedSets = new FinalizationRegistry<string>((key) => {
  if (sets.get(key)?.deref() === undefined) sets.delete(key)
})

/** The same patterns give the same set while it is in use. Throws where it grows too large for the engine. */
export function compileSet(patterns: readonly string[]): LinearRegexSet {
  const key = hash('sha256', JSON.stringify(patterns), 'base64')
  const known = sets.get(key)?.deref()
  if (known) return known
  const compiled = new (rust().RRegexSet)([...patterns])
  // Whether any matches takes half the time of which; nearly always the answer is none.
  const set = { matches: (text: string) => (compiled.isMatch(text) ? compiled.matches(text) : []) }
  sets.set(key, new WeakRef(set))
  unusedSets.register(set, key)
  return set
}

/** Makes expressions; all engines give the same answers. */
export interface RegexEngine {
  readonly name: string
  /** Throws where the engine cannot take the pattern, such as one that grows too large. */
  compile(pattern: Pattern): LinearRegex
}

/** Rust's regex in WebAssembly. */
export const rustEngine: RegexEngine = {
  name: 'rregex',
  compile(pattern) {
    const regex = new (rust().RRegex)(writePattern(pattern, 'rust'))
    const count = regex.capturesLength() - 1
    return {
      test: (text) => regex.isMatch(text),
      match: (text) => {
        const captures = regex.captures(text)
        if (!captures) return undefined
        const groups = Array.from(
          { length: count },
          (_, index) => captures.name[`g${index + 1}`]?.value ?? '',
        )
        return [captures.get[0]!.value, ...groups]
      },
    }
  },
}

/** RE2 in JavaScript: slower, and the second source of the same answers. */
export const re2Engine: RegexEngine = {
  name: 're2js',
  compile(pattern) {
    const regex = RE2JS.compile(writePattern(pattern, 're2'))
    return {
      test: (text) => regex.matcher(text).find(),
      match: (text) => {
        const matcher = regex.matcher(text)
        if (!matcher.find()) return undefined
        return Array.from({ length: matcher.groupCount() + 1 }, (_, group) => matcher.group(group) ?? '')
      },
    }
  },
}

/** Rust's engine, and RE2 for the patterns that it refuses. */
export const linearEngine: RegexEngine = {
  name: 'rregex, re2js',
  compile(pattern) {
    try {
      return rustEngine.compile(pattern)
    } catch {
      return re2Engine.compile(pattern)
    }
  },
}
