import { isSpace } from './bytes.ts'

const isAscii = (text: string) => {
  for (let i = 0; i < text.length; i++) if (text.charCodeAt(i) > 0x7f) return false
  return true
}

const mapBytes = (text: string, map: (code: number) => number) => {
  const codes = new Uint16Array(text.length)
  for (let i = 0; i < text.length; i++) codes[i] = map(text.charCodeAt(i))
  return Buffer.from(codes).toString('latin1')
}

/** ASCII letters only; bytes above stay, as tolower(3) leaves them. */
export function lowercase(text: string): string {
  if (isAscii(text)) return text.toLowerCase()
  return mapBytes(text, (code) => (code >= 0x41 && code <= 0x5a ? code + 0x20 : code))
}

export function uppercase(text: string): string {
  if (isAscii(text)) return text.toUpperCase()
  return mapBytes(text, (code) => (code >= 0x61 && code <= 0x7a ? code - 0x20 : code))
}

export const removeNulls = (text: string) => (text.includes('\0') ? text.split('\0').join('') : text)
export const replaceNulls = (text: string) => (text.includes('\0') ? text.split('\0').join(' ') : text)

/** removeWhitespace: also the no-break space, in latin1 and the first byte it has in UTF-8. */
export function removeWhitespace(text: string): string {
  let result = ''
  let kept = 0
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i)
    if (!isSpace(code) && code !== 0xa0 && code !== 0xc2) continue
    result += text.slice(kept, i)
    kept = i + 1
  }
  return kept === 0 ? text : result + text.slice(kept)
}

/** compressWhitespace: each run of blanks becomes one space. */
export function compressWhitespace(text: string): string {
  let result = ''
  let kept = 0
  for (let i = 0; i < text.length; i++) {
    if (!isSpace(text.charCodeAt(i))) continue
    const start = i
    while (i + 1 < text.length && isSpace(text.charCodeAt(i + 1))) i++
    if (i === start && text[i] === ' ') continue
    result += `${text.slice(kept, start)} `
    kept = i + 1
  }
  return kept === 0 ? text : result + text.slice(kept)
}

export function trimLeft(text: string): string {
  let start = 0
  while (start < text.length && isSpace(text.charCodeAt(start))) start++
  return text.slice(start)
}

export function trimRight(text: string): string {
  let end = text.length
  while (end > 0 && isSpace(text.charCodeAt(end - 1))) end--
  return text.slice(0, end)
}

export const trim = (text: string) => trimLeft(trimRight(text))

/** replaceComments: what stands in a comment of C becomes one space, also when it does not end. */
export function replaceComments(text: string): string {
  let start = text.indexOf('/*')
  if (start < 0) return text
  let result = ''
  let kept = 0
  while (start >= 0) {
    result += `${text.slice(kept, start)} `
    const end = text.indexOf('*/', start + 2)
    if (end < 0) return result
    kept = end + 2
    start = text.indexOf('/*', kept)
  }
  return result + text.slice(kept)
}

/** removeComments: comments of C and HTML, and all after -- or #. */
export function removeComments(text: string): string {
  let result = ''
  for (let i = 0; i < text.length; ) {
    const opened = text.startsWith('/*', i) ? 2 : text.startsWith('<!--', i) ? 4 : 0
    if (opened > 0) {
      const end = commentEnd(text, i + opened)
      if (end < 0) return `${result} `
      i = end
    } else if (text.startsWith('--', i) || text[i] === '#') return result
    else result += text[i++]
  }
  return result
}

function commentEnd(text: string, from: number): number {
  const ends = [
    [text.indexOf('*/', from), 2],
    [text.indexOf('-->', from), 3],
  ] as const
  const found = ends.filter(([at]) => at >= 0).sort((a, b) => a[0] - b[0])[0]
  return found ? found[0] + found[1] : -1
}

const commentMarks = ['/*', '*/', '<!--', '-->', '--', '#'] as const

/** removeCommentsChar: takes out the marks of comments and leaves what they hold. */
export function removeCommentsChar(text: string): string {
  if (!commentMarks.some((mark) => text.includes(mark))) return text
  let result = ''
  for (let i = 0; i < text.length; ) {
    const mark = commentMarks.find((candidate) => text.startsWith(candidate, i))
    if (mark) i += mark.length
    else result += text[i++]
  }
  return result
}

/** What becomes of a byte in cmdLine: it stays, is taken out, is a blank, or takes blanks before it away. */
const shellBytes = new Uint8Array(256)
for (const character of '"\'\\^') shellBytes[character.charCodeAt(0)] = 1
for (const character of ' ,;\t\r\n') shellBytes[character.charCodeAt(0)] = 2
for (const character of '/(') shellBytes[character.charCodeAt(0)] = 3

/** cmdLine: what shells read over is taken out, blanks become one, none stay before / and (. */
export function cmdLine(text: string): string {
  let result = ''
  let kept = 0
  let space = false
  for (let i = 0; i < text.length; i++) {
    const kind = shellBytes[text.charCodeAt(i) & 0xff]!
    if (kind === 0 && !space) continue
    result += text.slice(kept, i)
    kept = kind === 1 || kind === 2 ? i + 1 : i
    if (kind === 1) continue
    if (kind === 2 && !space) result += ' '
    if (kind === 3 && space) result = result.slice(0, -1)
    space = kind === 2
  }
  return lowercase(result + text.slice(kept))
}
