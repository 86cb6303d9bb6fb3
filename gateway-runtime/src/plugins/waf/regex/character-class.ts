import { addAll, type ByteSet, complement, emptySet, escapeClasses, posixClasses } from './byte-set.ts'
import { PatternError } from './pattern.ts'
import type { PatternReader } from './pattern-reader.ts'

const controls: Readonly<Record<string, number>> = { a: 7, e: 27, f: 12, n: 10, r: 13, t: 9 }
const isHex = (character: string) => '0123456789abcdefABCDEF'.includes(character)
const isOctal = (character: string) => character >= '0' && character <= '7'

function single(code: number): ByteSet {
  if (code > 0xff) throw new PatternError('a character that is no byte')
  const set = emptySet()
  set[code] = 1
  return set
}

/** What stands after a backslash, in or outside of a class. */
export function escapedSet(reader: PatternReader, inClass: boolean): ByteSet {
  const letter = reader.next()
  const named = escapeClasses[letter]
  if (named) return named
  const negated = escapeClasses[letter.toLowerCase()]
  if (negated && letter !== letter.toLowerCase()) return complement(negated)
  if (letter === 'N') return complement(single(10))
  if (letter === 'x') return single(hexCode(reader))
  if (inClass && letter === 'b') return single(8)
  if (isOctal(letter)) return single(Number.parseInt(letter + reader.digits(isOctal, 2), 8) & 0xff)
  if (letter === 'c') return single(reader.next().toUpperCase().charCodeAt(0) ^ 0x40)
  const control = controls[letter]
  if (control !== undefined) return single(control)
  if (/[A-Za-z]/.test(letter)) throw new PatternError(`the escape \\${letter}`)
  return single(letter.charCodeAt(0))
}

function hexCode(reader: PatternReader): number {
  if (!reader.take('{')) return Number.parseInt(`0${reader.digits(isHex, 2)}`, 16)
  const digits = reader.upTo('}')
  return Number.parseInt(digits, 16)
}

/** A class, after its opening bracket. */
export function characterClass(reader: PatternReader): ByteSet {
  const negated = reader.take('^')
  const set = emptySet()
  for (let first = true; first || !reader.take(']'); first = false) {
    const from = member(reader)
    const to = rangeEnd(reader, from)
    if (to === undefined) addAll(set, from.set)
    else set.fill(1, from.code, to + 1)
  }
  return negated ? complement(set) : set
}

interface Member {
  readonly set: ByteSet
  /** Undefined for what is itself a class. */
  readonly code?: number
}

function member(reader: PatternReader): Member {
  if (reader.take('[:')) return posixClass(reader)
  if (reader.take('\\')) {
    const set = escapedSet(reader, true)
    const code = set.indexOf(1)
    return set.lastIndexOf(1) === code ? { set, code } : { set }
  }
  const code = reader.next().charCodeAt(0)
  return { set: single(code), code }
}

function posixClass(reader: PatternReader): Member {
  const negated = reader.take('^')
  const name = reader.upTo(':]')
  const set = posixClasses[name]
  if (!set) throw new PatternError(`the class [:${name.slice(0, 20)}:]`)
  return { set: negated ? complement(set) : set }
}

function rangeEnd(reader: PatternReader, from: Member): number | undefined {
  if (from.code === undefined || !reader.at('-') || reader.at('-]')) return undefined
  reader.next()
  const to = member(reader)
  if (to.code === undefined) {
    throw new PatternError('a range that ends in a class')
  }
  if (to.code < from.code) throw new PatternError('a range that runs backwards')
  return to.code
}
