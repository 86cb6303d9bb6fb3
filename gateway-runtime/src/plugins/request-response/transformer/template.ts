import { z } from 'zod'
import { queryParameter } from '../../../data-plane/query-parameter.ts'
import type { Exchange } from '../../contract.ts'

/** Makes a text of what is known of an exchange; '' stands for what is not there. */
export type Template = (exchange: Exchange) => string

type Source = (exchange: Exchange, name: string) => unknown

const sources: Readonly<Record<string, Source>> = {
  header: ({ request }, name) => request.header(name),
  query: ({ request }, name) => queryParameter(request.query, name),
  claim: ({ claims }, name) => (claims && Object.hasOwn(claims, name) ? claims[name] : undefined),
  consumer: ({ consumer }, name) => {
    if (name === 'groups') return consumer?.groups.join(',')
    return name === 'custom_id' ? consumer?.customId : consumer?.name
  },
  request: ({ request, requestId }, name) => {
    if (name === 'id') return requestId
    return name === 'method' ? request.method : request.path
  },
  client: ({ clientAddress }) => clientAddress,
  route: ({ routeName }) => routeName,
}

const named: Readonly<Record<string, RegExp>> = {
  header: /^[a-z0-9-]+$/,
  query: /^[^{}]+$/,
  claim: /^[^{}]+$/,
  consumer: /^(name|custom_id|groups)$/,
  request: /^(id|method|path)$/,
  client: /^address$/,
  route: /^name$/,
}

const placeholder = /\{\{\s*([a-z]+)\.([^{}\s]+)\s*\}\}/g

/** What is wrong with a template, or undefined. */
function templateProblem(text: string): string | undefined {
  for (const [whole, kind = '', name = ''] of text.matchAll(placeholder))
    if (!named[kind]?.test(name)) return `${whole} names nothing that is known of a request`
  if (/\{\{|\}\}/.test(text.replace(placeholder, ''))) return 'expected {{header.name}} or the like'
  return undefined
}

/** A text in which {{header.x}}, {{query.x}}, {{claim.x}}, {{consumer.name}}, {{request.id}} … stand for values. */
export const templateSchema = z
  .string()
  .max(8_192)
  .superRefine((text, context) => {
    const message = templateProblem(text)
    if (message !== undefined) context.addIssue({ code: 'custom', message })
  })

export function compileTemplate(text: string): Template {
  const parts: (string | Template)[] = []
  let end = 0
  for (const match of text.matchAll(placeholder)) {
    const [whole, kind = '', name = ''] = match
    parts.push(text.slice(end, match.index))
    const source = sources[kind]!
    parts.push((exchange) => textOf(source(exchange, name)))
    end = match.index + whole.length
  }
  parts.push(text.slice(end))
  if (parts.length === 1) return () => text
  return (exchange) => parts.map((part) => (typeof part === 'string' ? part : part(exchange))).join('')
}

function textOf(value: unknown): string {
  if (value === undefined || value === null) return ''
  return typeof value === 'string' ? value : JSON.stringify(value)
}
