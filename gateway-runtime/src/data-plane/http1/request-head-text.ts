import type { Exchange } from '../exchange.ts'
import { type FieldSink, writeRequestFields } from '../fields.ts'
import type { HeaderName } from './header-name.ts'

const lineEnd = '\r\n'

class Lines implements FieldSink {
  text: string

  constructor(text: string) {
    this.text = text
  }

  field(name: HeaderName, value: string): void {
    this.text += name.start + value + lineEnd
  }
}

/** The head of a request as an HTTP/1.1 target is sent it (RFC 9112 section 3). */
export function requestHeadText(exchange: Exchange, authority: string, path: string): string {
  const { head } = exchange
  const lines = new Lines(`${head.method} ${path} HTTP/1.1\r\nhost: ${authority}\r\n`)
  writeRequestFields(exchange, lines)
  if (exchange.tunnel !== undefined)
    return `${lines.text}connection: upgrade\r\nupgrade: ${exchange.tunnel}\r\n\r\n`
  const text = head.acceptsTrailers ? `${lines.text}te: trailers\r\nconnection: te\r\n` : lines.text
  if (head.isChunked) return `${text}transfer-encoding: chunked\r\n\r\n`
  if (head.contentLength === 0 && (head.method === 'GET' || head.method === 'HEAD')) return `${text}\r\n`
  return `${text}content-length: ${head.contentLength}\r\n\r\n`
}
