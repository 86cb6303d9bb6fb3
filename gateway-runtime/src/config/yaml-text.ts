import { Document, type YAMLSeq } from 'yaml'

/** How the text around writes YAML; what is new follows it. */
export interface YamlStyle {
  /** Line end of the file. */
  readonly newline: '\n' | '\r\n'
  /** Whether braces have spaces inside: `{ a: 1 }`. */
  readonly padded: boolean
}

/** How a file is written. */
export const styleOf = (text: string): YamlStyle => ({
  newline: text.includes('\r\n') ? '\r\n' : '\n',
  padded: !/\{[^\s{}]/.test(text) || /\{ /.test(text),
})

/** Longest flow collection that is written within a block. */
const longestFlow = 72

/** A value in one line: `{ a: 1, b: [x, y] }`. */
export function flowText(value: unknown, style: YamlStyle): string {
  if (Array.isArray(value)) return `[${value.map((item) => flowText(item, style)).join(', ')}]`
  if (typeof value !== 'object' || value === null) return scalarText(value)
  const members = Object.entries(value).map(([key, item]) => `${scalarText(key)}: ${flowText(item, style)}`)
  const padding = style.padded && members.length > 0 ? ' ' : ''
  return `{${padding}${members.join(', ')}${padding}}`
}

/**
 * A mapping or list over several lines, its first line without indentation, the others at `column` spaces; no
 * newline at its end. What is small within it stays in one line.
 */
export function blockText(value: object, column: number, style: YamlStyle): string {
  const separator = style.newline + ' '.repeat(column)
  if (Array.isArray(value)) {
    return value.map((item) => `- ${inner(item, column + 2, style, '')}`).join(separator)
  }
  const lineBreak = style.newline + ' '.repeat(column + 2)
  return Object.entries(value)
    .map(([key, item]) => `${scalarText(key)}:${inner(item, column + 2, style, lineBreak)}`)
    .join(separator)
}

/** `lineBreak`: what comes before a block; before anything else, a space where there is a line break at all. */
function inner(value: unknown, column: number, style: YamlStyle, lineBreak: string): string {
  const space = lineBreak === '' ? '' : ' '
  const flow = flowText(value, style)
  if (!isContainer(value) || flow.length <= longestFlow) return space + flow
  return lineBreak + blockText(value, column, style)
}

/** A mapping or list that is not empty: one that can be written as a block. */
export const isContainer = (value: unknown): value is object =>
  typeof value === 'object' && value !== null && Object.keys(value).length > 0

/** A text, number, boolean or null, quoted where it must be, in one line. */
export function scalarText(value: unknown): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what must be escaped
  if (typeof value === 'string' && /[\x00-\x1f\x7f-\x9f]/.test(value)) return JSON.stringify(value)
  const document = new Document([value])
  const list = document.contents as unknown as YAMLSeq
  list.flow = true
  return document
    .toString({ lineWidth: 0, flowCollectionPadding: false, singleQuote: true })
    .trim()
    .slice(1, -1)
}
