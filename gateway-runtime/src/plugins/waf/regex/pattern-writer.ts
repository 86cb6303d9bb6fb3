import type { ByteSet } from './byte-set.ts'
import type { Assertion, Pattern } from './pattern.ts'

/** Engines whose syntax we write. Both read latin1 text: a character is a byte. */
export type Dialect = 'rust' | 're2'

const common = {
  'line-start': '(?m:^)',
  'line-end': '(?m:$)',
  'text-start': '\\A',
  'text-end': '\\z',
  'last-line-end': '(?:\\n?\\z)',
} as const

const assertions: Readonly<Record<Dialect, Readonly<Record<Assertion, string>>>> = {
  // Word characters are ASCII, as in PCRE's C locale; only that keeps the DFA small too.
  rust: { ...common, word: '(?-u:\\b)', 'not-word': '\\B' },
  re2: { ...common, word: '\\b', 'not-word': '\\B' },
}

/**
 * Writes a pattern for an engine. Classes are spelled out as ranges of bytes, so that no engine adds Unicode to them.
 * Groups are named g1, g2, … for Rust, whose binding otherwise leaves out those that took no part.
 */
export function writePattern(pattern: Pattern, dialect: Dialect): string {
  let groups = 0
  const write = (node: Pattern): string => {
    switch (node.type) {
      case 'bytes':
        return writeSet(node.set)
      case 'sequence':
        return node.items
          .map((item) => (item.type === 'alternatives' ? `(?:${write(item)})` : write(item)))
          .join('')
      case 'alternatives':
        return node.items.map(write).join('|')
      case 'capture':
        groups++
        return dialect === 'rust' ? `(?P<g${groups}>${write(node.item)})` : `(${write(node.item)})`
      case 'repeat':
        return `${repeatable(node.item, write(node.item))}${quantifier(node.min, node.max)}${node.lazy ? '?' : ''}`
      case 'assertion':
        return assertions[dialect][node.assertion]
    }
  }
  return write(pattern)
}

const repeatable = (item: Pattern, text: string) =>
  item.type === 'bytes' || item.type === 'capture' ? text : `(?:${text})`

function quantifier(min: number, max: number): string {
  if (max === Number.POSITIVE_INFINITY) return min === 0 ? '*' : min === 1 ? '+' : `{${min},}`
  if (min === 0 && max === 1) return '?'
  return min === max ? `{${min}}` : `{${min},${max}}`
}

const hex = (byte: number) => `\\x{${byte.toString(16)}}`

function writeSet(set: ByteSet): string {
  const ranges: [number, number][] = []
  for (let byte = 0; byte < 256; byte++) {
    if (!set[byte]) continue
    const last = ranges.at(-1)
    if (last && last[1] === byte - 1) last[1] = byte
    else ranges.push([byte, byte])
  }
  const [only] = ranges
  if (!only) return '[^\\x{0}-\\x{10ffff}]'
  if (ranges.length === 1 && only[0] === only[1]) return writeByte(only[0])
  return `[${ranges.map(([from, to]) => (from === to ? hex(from) : `${hex(from)}-${hex(to)}`)).join('')}]`
}

function writeByte(byte: number): string {
  const character = String.fromCharCode(byte)
  return /[0-9A-Za-z]/.test(character) ? character : hex(byte)
}
