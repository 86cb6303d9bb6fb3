import {
  charOf,
  controlEscapes,
  hexByte,
  hexDigit,
  isAlphanumeric,
  isOctalDigit,
  isSpace,
  octalAt,
} from './bytes.ts'

const backslash = 0x5c

/** Full-width ASCII (ff01 to ff5e) means the character itself, elsewhere the low byte counts. */
function lowByte(high: number, low: number): number {
  return high === 0xff && low > 0 && low < 0x5f ? low + 0x20 : low
}

/** jsDecode: \uHHHH, \xHH, \OOO and the letters. */
export function jsDecode(text: string): string {
  if (!text.includes('\\')) return text
  let result = ''
  for (let i = 0; i < text.length; ) {
    if (text.charCodeAt(i) !== backslash || i + 1 >= text.length) {
      result += text[i++]
      continue
    }
    const [character, length] = jsEscape(text, i + 1)
    result += character
    i += 1 + length
  }
  return result
}

function jsEscape(text: string, at: number): [string, number] {
  const code = text.charCodeAt(at)
  if (code === 0x75) {
    const high = hexByte(text, at + 1)
    const low = hexByte(text, at + 3)
    if (high >= 0 && low >= 0) return [charOf(lowByte(high, low)), 5]
  }
  if (code === 0x78) {
    const byte = hexByte(text, at + 1)
    if (byte >= 0) return [charOf(byte), 3]
  }
  if (isOctalDigit(code)) {
    const { value, length } = octalAt(text, at, false)
    return [charOf(value), length]
  }
  return [controlEscapes.get(code) ?? text[at]!, 1]
}

/** cssDecode: a backslash before up to six hexadecimal digits, a newline, or a character that stands for itself. */
export function cssDecode(text: string): string {
  if (!text.includes('\\')) return text
  let result = ''
  for (let i = 0; i < text.length; ) {
    if (text.charCodeAt(i) !== backslash) {
      result += text[i++]
      continue
    }
    const [character, length] = cssEscape(text, i + 1)
    result += character
    i += 1 + length
  }
  return result
}

function cssEscape(text: string, at: number): [string, number] {
  if (at >= text.length) return ['', 0]
  let digits = 0
  while (digits < 6 && hexDigit(text, at + digits) >= 0) digits++
  if (digits === 0) return text[at] === '\n' ? ['', 1] : [text[at]!, 1]
  const low = digits === 1 ? hexDigit(text, at) : hexByte(text, at + digits - 2)
  const leading = text.slice(at, at + digits - 4)
  const wide = digits >= 4 && leading === '0'.repeat(digits - 4)
  const byte = wide ? lowByte(hexByte(text, at + digits - 4), low) : low
  const blank = at + digits < text.length && isSpace(text.charCodeAt(at + digits)) ? 1 : 0
  return [charOf(byte), digits + blank]
}

/** escapeSeqDecode: the escapes of ANSI C. */
export function escapeSeqDecode(text: string): string {
  if (!text.includes('\\')) return text
  let result = ''
  for (let i = 0; i < text.length; ) {
    if (text.charCodeAt(i) !== backslash || i + 1 >= text.length) {
      result += text[i++]
      continue
    }
    const [character, length] = cEscape(text, i + 1)
    result += character
    i += 1 + length
  }
  return result
}

function cEscape(text: string, at: number): [string, number] {
  const code = text.charCodeAt(at)
  if ((code | 0x20) === 0x78) {
    const byte = hexByte(text, at + 1)
    return byte >= 0 ? [charOf(byte), 3] : [text[at]!, 1]
  }
  if (isOctalDigit(code)) {
    const { value, length } = octalAt(text, at, true)
    return [charOf(value), length]
  }
  return [controlEscapes.get(code) ?? text[at]!, 1]
}

const entities: readonly (readonly [string, string])[] = [
  ['quot', '"'],
  ['amp', '&'],
  ['lt', '<'],
  ['gt', '>'],
  ['nbsp', '\xa0'],
]

/** htmlEntityDecode: &#xHH; &#DDD; and five names, with or without their semicolons. */
export function htmlEntityDecode(text: string): string {
  if (!text.includes('&')) return text
  let result = ''
  for (let i = 0; i < text.length; ) {
    const entity = text.charCodeAt(i) === 0x26 ? entityAt(text, i + 1) : undefined
    if (!entity) {
      result += text[i++]
      continue
    }
    result += entity[0]
    i = text[entity[1]] === ';' ? entity[1] + 1 : entity[1]
  }
  return result
}

/** The character of an entity and the place after it. */
function entityAt(text: string, at: number): [string, number] | undefined {
  if (text[at] === '#') return numericEntity(text, at + 1)
  let end = at
  while (end < text.length && isAlphanumeric(text.charCodeAt(end))) end++
  // The start of a name is enough, as it is for browsers that read &ltscript.
  const start = text.slice(at, at + 4).toLowerCase()
  const found = entities.find(([name]) => end > at && start.startsWith(name))
  return found && [found[1], end]
}

function numericEntity(text: string, at: number): [string, number] | undefined {
  const hexadecimal = text[at] === 'x' || text[at] === 'X'
  const start = hexadecimal ? at + 1 : at
  const isDigit = (position: number) => {
    const digit = hexDigit(text, position)
    return digit >= 0 && (hexadecimal || digit < 10) && (hexadecimal || text.charCodeAt(position) <= 0x39)
  }
  let end = start
  while (isDigit(end)) end++
  if (end === start) return undefined
  return [charOf(Number.parseInt(text.slice(start, end), hexadecimal ? 16 : 10) & 0xff), end]
}
