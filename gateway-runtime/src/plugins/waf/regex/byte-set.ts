/** A set of bytes: 256 entries, 1 where the byte belongs to it. */
export type ByteSet = Uint8Array

export const emptySet = (): ByteSet => new Uint8Array(256)

/** Bytes of a latin1 text, and of ranges such as [0x61, 0x7a]. */
export function bytesOf(text: string, ...ranges: readonly (readonly [number, number])[]): ByteSet {
  const set = emptySet()
  for (let i = 0; i < text.length; i++) set[text.charCodeAt(i)] = 1
  for (const [from, to] of ranges) set.fill(1, from, to + 1)
  return set
}

export const complement = (set: ByteSet): ByteSet => set.map((member) => 1 - member)

export function addAll(target: ByteSet, source: ByteSet): void {
  for (let byte = 0; byte < 256; byte++) if (source[byte]) target[byte] = 1
}

export function intersects(a: ByteSet, b: ByteSet): boolean {
  for (let byte = 0; byte < 256; byte++) if (a[byte] && b[byte]) return true
  return false
}

/** Adds the other case of ASCII letters; bytes above 0x7f have none, as in PCRE's C locale. */
export function foldCase(set: ByteSet): ByteSet {
  const folded = set.slice()
  for (let upper = 0x41; upper <= 0x5a; upper++) {
    if (set[upper] || set[upper + 0x20]) folded[upper] = folded[upper + 0x20] = 1
  }
  return folded
}

const lower = [0x61, 0x7a] as const
const upper = [0x41, 0x5a] as const
const digits = [0x30, 0x39] as const

/** Classes of PCRE in the C locale, by the letter of their escape. */
export const escapeClasses: Readonly<Record<string, ByteSet>> = {
  d: bytesOf('', digits),
  w: bytesOf('_', lower, upper, digits),
  s: bytesOf(' \t\n\v\f\r'),
  h: bytesOf('\t \xa0'),
  v: bytesOf('\n\v\f\r\x85'),
}

/** POSIX classes, as in [[:alpha:]]. */
export const posixClasses: Readonly<Record<string, ByteSet>> = {
  alpha: bytesOf('', lower, upper),
  digit: bytesOf('', digits),
  alnum: bytesOf('', lower, upper, digits),
  upper: bytesOf('', upper),
  lower: bytesOf('', lower),
  space: bytesOf(' \t\n\v\f\r'),
  blank: bytesOf(' \t'),
  punct: bytesOf('', [0x21, 0x2f], [0x3a, 0x40], [0x5b, 0x60], [0x7b, 0x7e]),
  xdigit: bytesOf('', digits, [0x41, 0x46], [0x61, 0x66]),
  cntrl: bytesOf('\x7f', [0, 0x1f]),
  print: bytesOf('', [0x20, 0x7e]),
  graph: bytesOf('', [0x21, 0x7e]),
  word: bytesOf('_', lower, upper, digits),
}
