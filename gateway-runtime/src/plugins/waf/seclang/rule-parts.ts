import type { ActionSyntax, IdRange, OperatorSyntax, VariableSyntax } from './syntax.ts'

/** Reads `ARGS|!ARGS:/^x/|&REQUEST_HEADERS:Host`. Throws an Error that says what is wrong. */
export function parseVariables(text: string): VariableSyntax[] {
  return splitVariables(text).map(parseVariable)
}

/** Splits at bars, save those in the regular expression of a selector. */
function splitVariables(text: string): string[] {
  const parts: string[] = []
  let start = 0
  let inPattern = false
  for (let position = 0; position < text.length; position++) {
    const character = text[position]
    if (character === '\\' && inPattern) position++
    else if (character === '/' && (inPattern || startsPattern(text, position))) inPattern = !inPattern
    else if (character === '|' && !inPattern) {
      parts.push(text.slice(start, position))
      start = position + 1
    }
  }
  parts.push(text.slice(start))
  return parts.map((part) => part.trim()).filter(Boolean)
}

function startsPattern(text: string, position: number): boolean {
  const before = text.slice(0, position)
  // In XML:/* and XML://@* the slash begins an XPath expression.
  return /:'?$/.test(before) && !/(?:^|[|!&])XML:'?$/i.test(before)
}

function parseVariable(text: string): VariableSyntax {
  const [, sign = '', name = '', selector] = /^([!&]?)([A-Za-z_]+)(?::(.*))?$/s.exec(text) ?? []
  if (name === '') throw new Error(`the variable ${text} cannot be read`)
  return {
    collection: name.toUpperCase(),
    selector: selector === undefined ? undefined : parseSelector(name, selector.replace(/^'(.*)'$/s, '$1')),
    counted: sign === '&',
    excluded: sign === '!',
  }
}

function parseSelector(collection: string, text: string): VariableSyntax['selector'] {
  const pattern = collection.toUpperCase() === 'XML' ? null : /^\/(.*)\/$/s.exec(text)
  return pattern ? { type: 'pattern', source: pattern[1]! } : { type: 'name', name: text }
}

/** Reads `!@rx ^a`; without an operator's name it is a regular expression. */
export function parseOperator(text: string): OperatorSyntax {
  const [, negation, name, argument] = /^\s*(!?)\s*(?:@([A-Za-z0-9]+)(?:\s+|$))?(.*)$/s.exec(text)!
  return {
    name: (name ?? 'rx').toLowerCase(),
    negated: negation === '!',
    argument: name === undefined ? argument! : argument!.trimEnd(),
  }
}

/** Reads `id:1,phase:2,msg:'a, b',t:none`. */
export function parseActions(text: string): ActionSyntax[] {
  return splitActions(text).map((part) => {
    const colon = part.indexOf(':')
    if (colon < 0) return { name: part.toLowerCase(), argument: '' }
    return {
      name: part.slice(0, colon).trim().toLowerCase(),
      argument: unquote(part.slice(colon + 1).trim()),
    }
  })
}

function splitActions(text: string): string[] {
  const parts: string[] = []
  let start = 0
  let quoted = false
  for (let position = 0; position < text.length; position++) {
    const character = text[position]
    if (character === '\\') position++
    else if (character === "'") quoted = !quoted
    else if (character === ',' && !quoted) {
      parts.push(text.slice(start, position))
      start = position + 1
    }
  }
  parts.push(text.slice(start))
  return parts.map((part) => part.trim()).filter(Boolean)
}

const unquote = (text: string) => (/^'.*'$/s.test(text) ? text.slice(1, -1) : text).replaceAll("\\'", "'")

/** Reads `942100`, `942100-942199`, also several with blanks or commas between. */
export function parseIds(words: readonly string[]): IdRange[] {
  return words
    .flatMap((word) => word.split(/[\s,]+/))
    .filter(Boolean)
    .map((word) => {
      const [, from, to] = /^(\d+)(?:-(\d+))?$/.exec(word) ?? []
      if (from === undefined) throw new Error(`${word} is no rule id`)
      return { from: Number(from), to: Number(to ?? from) }
    })
}
