import { bestFit } from './best-fit.ts'
import { charOf, hexByte, hexDigit } from './bytes.ts'

const percent = 0x25
const plus = 0x2b

/** Whether decoding could change anything. */
const encoded = (text: string) => text.includes('%') || text.includes('+')

/** urlDecode: %HH and +; what is not valid stays. */
export function urlDecode(text: string): string {
  if (!encoded(text)) return text
  let result = ''
  for (let i = 0; i < text.length; ) {
    const code = text.charCodeAt(i)
    const byte = code === percent ? hexByte(text, i + 1) : -1
    result += byte >= 0 ? charOf(byte) : code === plus ? ' ' : text[i]
    i += byte >= 0 ? 3 : 1
  }
  return result
}

/** Whether a % stands there that no two hexadecimal digits follow. */
export function hasInvalidEncoding(text: string): boolean {
  for (let at = text.indexOf('%'); at >= 0; at = text.indexOf('%', at + 1)) {
    if (hexByte(text, at + 1) < 0) return true
  }
  return false
}

/** Decodes %HH only, as in a path; + stays. */
export function percentDecode(text: string): string {
  if (!text.includes('%')) return text
  let result = ''
  for (let i = 0; i < text.length; ) {
    const byte = text.charCodeAt(i) === percent ? hexByte(text, i + 1) : -1
    result += byte >= 0 ? charOf(byte) : text[i]
    i += byte >= 0 ? 3 : 1
  }
  return result
}

/** urlDecodeUni: also IIS's %uHHHH, folded to ASCII where a character has a best fit, else its low byte. */
export function urlDecodeUni(text: string): string {
  if (!encoded(text)) return text
  let result = ''
  for (let i = 0; i < text.length; ) {
    const code = text.charCodeAt(i)
    if (code !== percent) {
      result += code === plus ? ' ' : text[i]
      i++
      continue
    }
    const wide = (text.charCodeAt(i + 1) | 0x20) === 0x75 // u or U
    const [value, length] = wide ? wideCode(text, i) : [hexByte(text, i + 1), 3]
    if (value >= 0) {
      result += charOf(value)
      i += length
    } else {
      const kept = wide ? 2 : 1
      result += text.slice(i, i + kept)
      i += kept
    }
  }
  return result
}

function wideCode(text: string, at: number): [number, number] {
  const high = hexByte(text, at + 2)
  const low = hexByte(text, at + 4)
  return [high < 0 || low < 0 ? -1 : bestFit(high * 256 + low), 6]
}

/** urlEncode as ModSecurity does it: letters, digits and * stay, a space becomes +. */
export function urlEncode(text: string): string {
  let result = ''
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i)
    if (code === 0x20) result += '+'
    else if (code === 0x2a || (code < 0x80 && hexOrLetter(text, i))) result += text[i]
    else result += `%${code.toString(16).padStart(2, '0')}`
  }
  return result
}

const hexOrLetter = (text: string, at: number) => hexDigit(text, at) >= 0 || /[0-9A-Za-z]/.test(text[at]!)
