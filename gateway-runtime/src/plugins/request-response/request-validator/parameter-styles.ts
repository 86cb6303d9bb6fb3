import type { Kind, Texts } from './typed-values.ts'

export type ParameterIn = 'path' | 'query' | 'header' | 'cookie'

/** Names and what they were given, as it was sent, in their order. */
export type SentFields = ReadonlyMap<string, readonly string[]>

/** How a parameter is written (OpenAPI 3.1, "Style Values"). */
export interface Writing {
  readonly name: string
  readonly style: Style
  readonly explode: boolean
}
export type Style = 'matrix' | 'label' | 'simple' | 'form' | 'spaceDelimited' | 'pipeDelimited' | 'deepObject'

/** The styles that a parameter may have in its place; the first is the default. */
export const stylesOf: Readonly<Record<ParameterIn, readonly Style[]>> = {
  path: ['simple', 'label', 'matrix'],
  query: ['form', 'spaceDelimited', 'pipeDelimited', 'deepObject'],
  header: ['simple'],
  cookie: ['form'],
}

/** Why a parameter cannot be read. */
export class Unreadable {
  readonly reason: string

  constructor(reason: string) {
    this.reason = reason
  }
}

const twice = new Unreadable('is given more than once')
const separators: Readonly<Partial<Record<Style, RegExp | string>>> = {
  spaceDelimited: /%20|\+/,
  pipeDelimited: /\||%7C/i,
}

/** Percent-decodes; what is not rightly encoded stays as it is. */
export function decodePercent(text: string): string {
  if (!text.includes('%')) return text
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}

/** Of a query or an encoded form, where a plus sign is a space. */
export const decodeForm = (text: string): string => decodePercent(text.replaceAll('+', ' '))

/** What one text says, as a parameter of a path or header is. */
export function readText(sent: string, { name, style, explode }: Writing, kind: Kind): Texts | Unreadable {
  if (style === 'label') {
    if (!sent.startsWith('.')) return new Unreadable('must begin with "."')
    return split(sent.slice(1), kind, explode ? '.' : ',', explode)
  }
  if (style === 'matrix') return readMatrix(sent, name, kind, explode)
  return split(sent, kind, separators[style] ?? ',', explode && style === 'simple')
}

function readMatrix(sent: string, name: string, kind: Kind, explode: boolean): Texts | Unreadable {
  if (explode && kind === 'fields') return split(sent.replace(/^;/, ''), kind, ';', true)
  const prefix = `;${name}=`
  if (!sent.startsWith(prefix)) return new Unreadable(`must begin with "${prefix}"`)
  return split(sent.slice(prefix.length), kind, explode ? prefix : ',', false)
}

/** What fields say, as parameters of a query, a form or cookies are; undefined: nothing. */
export function readFields(
  sent: SentFields,
  writing: Writing,
  kind: Kind,
  isPart: (name: string) => boolean,
): Texts | Unreadable | undefined {
  const { name, style, explode } = writing
  if (style === 'deepObject') return bracketed(sent, name)
  const texts = sent.get(name)
  if (explode && kind === 'fields') {
    const parts = [...sent].filter(([part]) => isPart(part))
    return parts.length > 0 ? new Map(parts) : undefined
  }
  if (!texts) return undefined
  if (explode && kind === 'list') return texts
  return texts.length > 1 ? twice : readText(texts[0]!, { ...writing, explode: false }, kind)
}

/** `filter[colour]=red` */
function bracketed(sent: SentFields, name: string): Texts | undefined {
  const fields = new Map<string, readonly string[]>()
  for (const [field, texts] of sent) {
    if (field.startsWith(`${name}[`) && field.endsWith(']'))
      fields.set(field.slice(name.length + 1, -1), texts)
  }
  return fields.size > 0 ? fields : undefined
}

/** `a,b` for a list; `k,v,k,v` or, in pairs, `k=v,k=v` for fields. */
function split(sent: string, kind: Kind, separator: string | RegExp, inPairs: boolean): Texts | Unreadable {
  if (kind === 'text') return sent
  const parts = sent === '' ? [] : sent.split(separator)
  if (kind === 'list') return parts
  const fields = new Map<string, string[]>()
  const add = (sentName: string, text: string) => {
    const field = decodePercent(sentName)
    const texts = fields.get(field)
    if (texts) texts.push(text)
    else fields.set(field, [text])
  }
  if (inPairs) {
    for (const part of parts) {
      const end = part.indexOf('=')
      if (end < 0) return new Unreadable('must be fields, as "name=value"')
      add(part.slice(0, end), part.slice(end + 1))
    }
    return fields
  }
  if (parts.length % 2 > 0) return new Unreadable('must be fields: names and values by turns')
  for (let index = 0; index < parts.length; index += 2) add(parts[index]!, parts[index + 1]!)
  return fields
}

/** Decodes the values; names are decoded where they are read. */
export function decodeTexts(texts: Texts, decode: (text: string) => string): Texts {
  if (typeof texts === 'string') return decode(texts)
  if (!(texts instanceof Map)) return (texts as readonly string[]).map(decode)
  const fields = [...(texts as ReadonlyMap<string, readonly string[]>)]
  return new Map(fields.map(([name, values]) => [name, values.map(decode)]))
}
