import { STATUS_CODES } from 'node:http'
import type { Exchange } from '../exchange.ts'
import { writeResponseFields } from '../fields.ts'
import { FieldLines } from './field-lines.ts'
import type { MessageHead } from './parser.ts'

const statusLines = new Map<number, string>()
/** With its line end. The reason phrase is the standard's, never the upstream's. */
export function statusLine(status: number): string {
  let line = statusLines.get(status)
  if (!line) {
    line = `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}\r\n`
    statusLines.set(status, line)
  }
  return line
}

let date = ''
let dateUntil = 0
/** Now as a Date field has it (RFC 9110 section 5.6.7), made once a second. */
export function currentDate(): string {
  const now = Date.now()
  if (now >= dateUntil) {
    date = new Date(now).toUTCString()
    dateUntil = now - (now % 1_000) + 1_000
  }
  return date
}

export const currentDateLine = (): string => `date: ${currentDate()}\r\n`

/** Status line and fields of an upstream's answer, with Date where it is the final one; without framing and without the empty line. */
export function responseHeadText(head: MessageHead, exchange?: Pick<Exchange, 'hides'>): string {
  const lines = new FieldLines(statusLine(head.status))
  const isDated = writeResponseFields(head, lines, exchange) || head.status < 200
  return isDated ? lines.text : lines.text + currentDateLine()
}
