import type { Fields } from '../fields.ts'
import { byteClasses, COLON, CR, HTAB, isText, isToken, LF, SP } from './bytes.ts'
import { type HeaderName, headerNameAt } from './header-name.ts'
import { malformed, ParseError } from './parse-error.ts'
import { hashWith } from './word-table.ts'

/** In place of a position: the bytes end before what is read does. */
export const incomplete = -1

const mostFields = 1_000
// Of the section that was scanned last: one for all, as a section is scanned and read in one go.
const names: HeaderName[] = []
const valueStarts = new Int32Array(mostFields)
const valueEnds = new Int32Array(mostFields)
let count = 0

/**
 * Looks for the fields of a head or trailers from `at` on (RFC 9112 section 5), up to `most` of them. Returns the
 * position behind the empty line that ends them, or `incomplete`; `readFields` gives what was found. Strict: no
 * folded lines, no space before a colon, lines end with CRLF. Throws ParseError.
 */
export function scanFields(bytes: Buffer, at: number, end: number, most: number): number {
  count = 0
  let next = at
  for (;;) {
    if (next >= end) return incomplete
    if (bytes[next] === CR) return lineEnd(bytes, next, end)
    if (count >= most || count >= mostFields)
      throw new ParseError('header-too-large', `over ${most} header fields`)
    next = scanField(bytes, next, end)
    if (next === incomplete) return incomplete
    count++
  }
}

function scanField(bytes: Buffer, start: number, end: number): number {
  let at = start
  let byte = bytes[at]!
  let hash = 0
  while ((byteClasses[byte]! & isToken) !== 0) {
    hash = hashWith(hash, byte)
    if (++at === end) return incomplete
    byte = bytes[at]!
  }
  if (byte !== COLON || at === start) throw malformed('a line of the header is no field')
  names[count] = headerNameAt(bytes, start, at, hash)
  do {
    if (++at === end) return incomplete
    byte = bytes[at]!
  } while (byte === SP || byte === HTAB)
  valueStarts[count] = at
  while ((byteClasses[byte]! & isText) !== 0) {
    if (++at === end) return incomplete
    byte = bytes[at]!
  }
  if (byte !== CR) throw malformed('a control character in the value of a field')
  valueEnds[count] = at
  return lineEnd(bytes, at, end)
}

/** The position behind the CRLF that is at `at`, where there is a CR. */
export function lineEnd(bytes: Buffer, at: number, end: number): number {
  if (at + 1 >= end) return incomplete
  if (bytes[at + 1] !== LF) throw malformed('a bare CR')
  return at + 2
}

/** What `scanFields` has found in these bytes; `text` is a copy of them in Latin-1, from `textStart` on. */
export function readFields(bytes: Buffer, text: string, textStart: number): Fields {
  const values: string[] = new Array(count)
  for (let index = 0; index < count; index++) {
    const start = valueStarts[index]!
    let end = valueEnds[index]!
    while (end > start && (bytes[end - 1] === SP || bytes[end - 1] === HTAB)) end--
    values[index] = text.substring(start - textStart, end - textStart)
  }
  return { names: names.slice(0, count), values }
}
