import { complement, foldCase } from './byte-set.ts'
import { characterClass, escapedSet } from './character-class.ts'
import { type Pattern, PatternError } from './pattern.ts'
import { PatternReader } from './pattern-reader.ts'

interface Flags {
  readonly ignoreCase: boolean
  readonly dotAll: boolean
  readonly multiLine: boolean
  readonly extended: boolean
}

/** Deeper groups than any rule has; keeps the parser's own stack bounded. */
const maxDepth = 200

const newline = new Uint8Array(256)
newline[10] = 1
const notNewline = complement(newline)
const anyByte = complement(new Uint8Array(256))

/**
 * Reads a regular expression of PCRE (pcrepattern(3)) into a form of our own, with the flags that ModSecurity 3 sets:
 * a dot also takes newlines, and ^ and $ also stand at lines. Possessive repeats and atomic groups are read as greedy
 * ones, which match no less. Throws PatternError for look-around, references back, recursion and Unicode properties.
 */
export function parsePattern(source: string): Pattern {
  const parser = new Parser(new PatternReader(source))
  return parser.whole()
}

class Parser {
  readonly #reader: PatternReader
  #depth = 0

  constructor(reader: PatternReader) {
    this.#reader = reader
  }

  whole(): Pattern {
    const pattern = this.#alternatives({ ignoreCase: false, dotAll: true, multiLine: true, extended: false })
    if (!this.#reader.done) throw new PatternError('a ) without its (')
    return pattern
  }

  #alternatives(given: Flags): Pattern {
    if (++this.#depth > maxDepth) throw new PatternError('groups nested too deeply')
    const items: Pattern[] = []
    let flags = given
    do {
      const branch = this.#sequence(flags)
      flags = branch.flags // (?i) lasts to the end of the group, over its bars
      items.push(branch.pattern)
    } while (this.#reader.take('|'))
    this.#depth--
    return items.length === 1 ? items[0]! : { type: 'alternatives', items }
  }

  #sequence(given: Flags): { pattern: Pattern; flags: Flags } {
    const items: Pattern[] = []
    let flags = given
    for (;;) {
      if (flags.extended) this.#reader.skipExtendedSpace()
      if (this.#reader.done || this.#reader.at('|') || this.#reader.at(')')) break
      const changed = this.#inlineFlags(flags)
      if (changed) flags = changed
      else items.push(this.#repeated(this.#atom(flags), flags))
    }
    return { pattern: items.length === 1 ? items[0]! : { type: 'sequence', items }, flags }
  }

  /** (?i) and the like, which hold for what follows. */
  #inlineFlags(flags: Flags): Flags | undefined {
    const letters = this.#reader.flagsUntil(')')
    return letters === undefined ? undefined : withFlags(flags, letters)
  }

  #repeated(atom: Pattern, flags: Flags): Pattern {
    let item = atom
    for (;;) {
      if (flags.extended) this.#reader.skipExtendedSpace()
      const bounds = this.#reader.quantifier()
      if (!bounds) return item
      const lazy = this.#reader.take('?')
      if (!lazy) this.#reader.take('+')
      item = { type: 'repeat', item, ...bounds, lazy }
    }
  }

  #atom(flags: Flags): Pattern {
    const reader = this.#reader
    const character = reader.next()
    switch (character) {
      case '(':
        return this.#group(flags)
      case '[':
        return bytes(characterClass(reader), flags)
      case '.':
        return { type: 'bytes', set: flags.dotAll ? anyByte : notNewline }
      case '^':
        return { type: 'assertion', assertion: flags.multiLine ? 'line-start' : 'text-start' }
      case '$':
        return { type: 'assertion', assertion: flags.multiLine ? 'line-end' : 'last-line-end' }
      case '\\':
        return this.#escape(flags)
      case '*':
      case '+':
      case '?':
        throw new PatternError(`nothing to repeat before ${character}`)
      default:
        return literal(character, flags)
    }
  }

  #escape(flags: Flags): Pattern {
    const reader = this.#reader
    const letter = reader.peek()
    const assertion = assertions[letter]
    if (assertion) {
      reader.next()
      return { type: 'assertion', assertion }
    }
    if (letter === 'Q') return this.#quoted(flags)
    if (letter === 'R') {
      reader.next()
      return bytes(newlines, flags)
    }
    if (letter >= '1' && letter <= '9' && !reader.isOctal()) throw new PatternError('a reference back')
    return bytes(escapedSet(reader, false), flags)
  }

  #quoted(flags: Flags): Pattern {
    this.#reader.next()
    const items = [...this.#reader.upTo('\\E')].map((character) => literal(character, flags))
    return { type: 'sequence', items }
  }

  #group(flags: Flags): Pattern {
    const reader = this.#reader
    let inner = flags
    let captures = false
    if (!reader.at('?')) captures = !reader.take('*') || unsupportedVerb()
    else if (reader.take('?:') || reader.take('?>')) captures = false
    else if (reader.take('?P<') || reader.takeName()) captures = reader.skipName()
    else if (reader.takeLookAround()) throw new PatternError('look-ahead or look-behind')
    else {
      const letters = reader.flagsUntil(':', '?')
      if (letters === undefined) throw new PatternError('a group of a kind that is not supported')
      inner = withFlags(flags, letters)
    }
    const item = this.#alternatives(inner)
    if (!reader.take(')')) throw new PatternError('a ( without its )')
    return captures ? { type: 'capture', item } : item
  }
}

const newlines = new Uint8Array(256)
for (const byte of [10, 11, 12, 13, 0x85]) newlines[byte] = 1

const assertions: Readonly<Record<string, (Pattern & { type: 'assertion' })['assertion']>> = {
  b: 'word',
  B: 'not-word',
  A: 'text-start',
  z: 'text-end',
  Z: 'last-line-end',
}

function unsupportedVerb(): never {
  throw new PatternError('a verb (*…)')
}

const bytes = (set: Uint8Array, { ignoreCase }: Pick<Flags, 'ignoreCase'>): Pattern => ({
  type: 'bytes',
  set: ignoreCase ? foldCase(set) : set,
})

/** Patterns are mostly literals: each byte's set is made once. */
const literals = Array.from({ length: 256 }, (_, code) => {
  const set = new Uint8Array(256)
  set[code] = 1
  return { exact: bytes(set, { ignoreCase: false }), folded: bytes(set, { ignoreCase: true }) }
})

function literal(character: string, { ignoreCase }: Flags): Pattern {
  const { exact, folded } = literals[character.charCodeAt(0)]!
  return ignoreCase ? folded : exact
}

function withFlags(flags: Flags, letters: string): Flags {
  let on = true
  let { ignoreCase, dotAll, multiLine, extended } = flags
  for (const letter of letters) {
    if (letter === '-') on = false
    else if (letter === 'i') ignoreCase = on
    else if (letter === 's') dotAll = on
    else if (letter === 'm') multiLine = on
    else if (letter === 'x') extended = on
    else throw new PatternError(`flag ${letter}`)
  }
  return { ignoreCase, dotAll, multiLine, extended }
}
