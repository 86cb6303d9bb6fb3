/** Bytes of text as ModSecurity's C functions class them; text is latin1, a character a byte. */

const hexValues = new Int8Array(256).fill(-1)
for (let digit = 0; digit < 16; digit++) {
  hexValues[digit.toString(16).charCodeAt(0)] = digit
  hexValues[digit.toString(16).toUpperCase().charCodeAt(0)] = digit
}

/** Value of a hexadecimal digit, -1 for anything else and past the end of the text. */
export function hexDigit(text: string, position: number): number {
  return position < text.length ? hexValues[text.charCodeAt(position) & 0xff]! : -1
}

/** Value of two hexadecimal digits, -1 where one is none. */
export function hexByte(text: string, position: number): number {
  const high = hexDigit(text, position)
  const low = hexDigit(text, position + 1)
  return high < 0 || low < 0 ? -1 : high * 16 + low
}

export const isOctalDigit = (code: number) => code >= 0x30 && code <= 0x37

/** isspace(3) in the C locale. */
export const isSpace = (code: number) => code === 0x20 || (code >= 9 && code <= 13)

export const isAlphanumeric = (code: number) =>
  (code >= 0x30 && code <= 0x39) || (code >= 0x41 && code <= 0x5a) || (code >= 0x61 && code <= 0x7a)

const chars = Array.from({ length: 256 }, (_, byte) => String.fromCharCode(byte))

/** The character of a byte. */
export const charOf = (byte: number): string => chars[byte & 0xff]!

/** Up to three octal digits from a place, of which the first two when all three are more than a byte. */
export function octalAt(text: string, start: number, wrap: boolean): { value: number; length: number } {
  let length = 0
  while (length < 3 && start + length < text.length && isOctalDigit(text.charCodeAt(start + length))) length++
  if (!wrap && length === 3 && text.charCodeAt(start) > 0x33) length = 2
  return { value: Number.parseInt(text.slice(start, start + length), 8) & 0xff, length }
}

/** What \a, \b, \f, \n, \r, \t and \v stand for, by their letter's code. */
export const controlEscapes = new Map<number, string>([
  [0x61, '\x07'],
  [0x62, '\b'],
  [0x66, '\f'],
  [0x6e, '\n'],
  [0x72, '\r'],
  [0x74, '\t'],
  [0x76, '\v'],
])
