import { isAlphanumeric, isSpace } from '../transformations/bytes.ts'

/*
 * libddwaf's libinjection knows fewer fingerprints than that of ModSecurity: where a name is compared, as in
 * `' OR username LIKE '%a`, it finds nothing, and where a number stands in its place, it does.
 */

const logic = new Set(['or', 'and', 'xor', '||', '&&'])
const comparisons = new Set(['=', '<', '>', '<=', '>=', '<>', '!=', '<=>', 'like', 'rlike', 'regexp', 'is'])

interface Token {
  readonly start: number
  readonly end: number
  readonly kind: 'word' | 'number' | 'sign'
  /** In lower case. */
  readonly text: string
}

/**
 * The text with a number for each name that is compared with a string behind a logical operator, and for a word that
 * begins the text and is followed by a comparison of numbers; undefined where there is none. Takes time in
 * proportion to the text.
 */
export function namesAsNumbers(text: string): string | undefined {
  if (!mayCompare(text)) return undefined
  const tokens = tokensOf(text)
  const names = tokens.filter((_, index) => isComparedName(tokens, index) || isLeadingWord(tokens, index))
  if (names.length === 0) return undefined
  let result = ''
  let kept = 0
  for (const { start, end } of names) {
    result += `${text.slice(kept, start)}1`
    kept = end
  }
  return result + text.slice(kept)
}

/** Nearly all texts are done with here. */
function mayCompare(text: string): boolean {
  return text.includes("'") || text.includes('"') || text.includes('=')
}

/** `OR name LIKE '` */
function isComparedName(tokens: readonly Token[], index: number): boolean {
  const value = tokens[index + 2]
  return (
    tokens[index]!.kind === 'word' &&
    logic.has(tokens[index - 1]?.text ?? '') &&
    comparisons.has(tokens[index + 1]?.text ?? '') &&
    value !== undefined &&
    (value.text.startsWith("'") || value.text.startsWith('"'))
  )
}

/** `name AND 1=` */
function isLeadingWord(tokens: readonly Token[], index: number): boolean {
  return (
    index === 0 &&
    tokens[0]!.kind === 'word' &&
    logic.has(tokens[1]?.text ?? '') &&
    tokens[2]?.kind === 'number' &&
    comparisons.has(tokens[3]?.text ?? '')
  )
}

/** Words, numbers, and runs of signs; a quote stands alone. Blanks and comments are left out. */
function tokensOf(text: string): Token[] {
  const tokens: Token[] = []
  for (let start = 0; start < text.length; ) {
    const blank = blankEnd(text, start)
    if (blank > start) {
      start = blank
      continue
    }
    const kind = kindOf(text.charCodeAt(start))
    let end = start + 1
    if (kind !== 'sign') while (end < text.length && kindOf(text.charCodeAt(end)) !== 'sign') end++
    else if (isOperatorSign(text[start]!)) while (end < text.length && isOperatorSign(text[end]!)) end++
    tokens.push({ start, end, kind, text: text.slice(start, end).toLowerCase() })
    start = end
  }
  return tokens
}

function kindOf(code: number): Token['kind'] {
  if (code >= 0x30 && code <= 0x39) return 'number'
  return isAlphanumeric(code) || code === 0x5f || code === 0x2e || code > 0x7f ? 'word' : 'sign'
}

const isOperatorSign = (sign: string) => '=<>!|&'.includes(sign)

/** Where blanks or a comment that begin here end; `start` where there is none. */
function blankEnd(text: string, start: number): number {
  if (isSpace(text.charCodeAt(start))) return start + 1
  if (!text.startsWith('/*', start)) return start
  const end = text.indexOf('*/', start + 2)
  return end < 0 ? text.length : end + 2
}
