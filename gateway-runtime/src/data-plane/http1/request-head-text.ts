import type { Exchange } from '../exchange.ts'
import { writeRequestFields } from '../fields.ts'
import { FieldLines } from './field-lines.ts'

/** The head of a request as an HTTP/1.1 target is sent it (RFC 9112 section 3). */
export function requestHeadText(exchange: Exchange, authority: string, path: string): string {
  const { head } = exchange
  const lines = new FieldLines(`${head.method} ${path} HTTP/1.1\r\nhost: ${authority}\r\n`)
  writeRequestFields(exchange, lines)
  if (exchange.tunnel !== undefined)
    return `${lines.text}connection: upgrade\r\nupgrade: ${exchange.tunnel}\r\n\r\n`
  const text = head.acceptsTrailers ? `${lines.text}te: trailers\r\nconnection: te\r\n` : lines.text
  if (head.isChunked) return `${text}transfer-encoding: chunked\r\n\r\n`
  if (head.contentLength === 0 && (head.method === 'GET' || head.method === 'HEAD')) return `${text}\r\n`
  return `${text}content-length: ${head.contentLength}\r\n\r\n`
}
