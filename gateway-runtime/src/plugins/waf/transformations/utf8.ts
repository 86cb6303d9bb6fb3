/** Bytes that a first byte of UTF-8 (RFC 3629) announces, 0 where none begins with it. */
function sequenceLength(first: number): number {
  if (first < 0x80) return 1
  if (first >= 0xc0 && first < 0xe0) return 2
  if (first >= 0xe0 && first < 0xf0) return 3
  return first >= 0xf0 && first < 0xf8 ? 4 : 0
}

const smallest = [0, 0, 0x80, 0x800, 0x1_0000]

/** The code point at a place of bytes in latin1 text; undefined where it is cut off or wrong. */
function codePointAt(text: string, at: number): { code: number; length: number } | undefined {
  const first = text.charCodeAt(at)
  const length = sequenceLength(first)
  if (length === 0 || at + length > text.length) return undefined
  let code = length === 1 ? first : first & (0xff >> (length + 1))
  for (let i = 1; i < length; i++) {
    const next = text.charCodeAt(at + i)
    if ((next & 0xc0) !== 0x80) return undefined
    code = (code << 6) | (next & 0x3f)
  }
  return { code, length }
}

/** Whether bytes are UTF-8 without overlong forms, surrogates, and codes beyond U+10FFFF. */
export function isValidUtf8(text: string): boolean {
  for (let at = 0; at < text.length; ) {
    const found = codePointAt(text, at)
    if (!found || found.code < smallest[found.length]! || found.code > 0x10_ffff) return false
    if (found.code >= 0xd800 && found.code <= 0xdfff) return false
    at += found.length
  }
  return true
}

/** utf8toUnicode: characters of more than one byte become %uHHHH; what is no UTF-8 stays. */
export function utf8toUnicode(text: string): string {
  let result = ''
  let kept = 0
  for (let at = 0; at < text.length; ) {
    const found = text.charCodeAt(at) < 0x80 ? undefined : codePointAt(text, at)
    if (!found) {
      at++
      continue
    }
    result += `${text.slice(kept, at)}%u${found.code.toString(16).padStart(4, '0')}`
    at += found.length
    kept = at
  }
  return kept === 0 ? text : result + text.slice(kept)
}

/** The bytes of a character as latin1 text. */
export const utf8Bytes = (character: string): string => Buffer.from(character, 'utf8').toString('latin1')
