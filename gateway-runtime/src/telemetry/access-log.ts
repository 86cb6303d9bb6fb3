import { join } from 'node:path'
import type { ClientFacts, Exchange } from '../data-plane/exchange.ts'
import { escapeCharacter } from '../data-plane/problem.ts'
import { LogFile } from './log-file.ts'

// Most of what is logged needs no escape. Where something might, all but ASCII is escaped, so that a line is ASCII.
const needsEscape = /[^\x20\x21\x23-\x5b\x5d-\x7e]/
const quote = (text: string): string =>
  needsEscape.test(text) ? JSON.stringify(text).replace(/[^\x20-\x7e]/g, escapeCharacter) : `"${text}"`

let beginning = ''
let beginningOf = 0
/** What a line begins with: the time, made anew each millisecond, and the name of what follows. */
function lineBeginning(): string {
  const now = Date.now()
  if (now !== beginningOf) {
    beginningOf = now
    beginning = `{"time":"${new Date(now).toISOString()}","request_id":"`
  }
  return beginning
}

/** The three digits of numbers below a thousand: to write a number anew takes several times as long as to look it up. */
const digits = Array.from({ length: 1_000 }, (_, number) => String(number).padStart(3, '0'))

/** Seconds with six decimals. */
function seconds(milliseconds: number): string {
  const microseconds = Math.round(milliseconds * 1_000)
  const whole = Math.floor(microseconds / 1e6)
  const rest = microseconds - whole * 1e6
  const thousands = Math.floor(rest / 1_000)
  const fraction = digits[thousands]! + digits[rest - thousands * 1_000]!
  return whole === 0 ? `0.${fraction}` : `${whole}.${fraction}`
}

const protocols: Record<number, string> = { 10: '1.0', 11: '1.1', 20: '2' }

/**
 * access.log: a JSON object a line, one a request. Times are in seconds; `gateway_duration` is the gateway's own
 * part. Queries and header values but User-Agent are left out: they carry secrets.
 */
export class AccessLog {
  readonly #file: LogFile

  /** `directory` is made where it is missing. */
  constructor(directory: string) {
    this.#file = new LogFile(join(directory, 'access.log'))
  }

  get dropped(): number {
    return this.#file.dropped
  }

  /** `duration`: milliseconds from the head of the request to the end of the answer. */
  write(exchange: Exchange, duration: number): void {
    const { route, facts } = exchange
    let line =
      `${lineBeginning()}${exchange.requestId}","client_address":"${exchange.clientAddress}",` +
      `"method":"${exchange.method}","scheme":"${facts.scheme}","host":"${exchange.host}",` +
      `"path":${quote(exchange.path)},"protocol":"HTTP/${protocols[exchange.head.version]}",` +
      `"status":${exchange.status},"duration":${seconds(duration)},` +
      `"upstream_duration":${seconds(exchange.upstreamTime)},` +
      `"gateway_duration":${seconds(Math.max(duration - exchange.upstreamTime, 0))},` +
      `"request_bytes":${exchange.requestBytes},"response_bytes":${exchange.responseBytes}`
    if (route) line += `,"route":"${route.route.name}"`
    if (exchange.destination) line += `,"service":"${exchange.destination.service.name}"`
    if (exchange.consumer) line += `,"consumer":"${exchange.consumer.name}"`
    if (exchange.target) line += `,"target":"${exchange.target}","attempts":${exchange.attempts}`
    if (exchange.traceId) line += `,"trace_id":"${exchange.traceId}"`
    if (exchange.code) line += `,"code":"${exchange.code}"`
    if (facts.tlsVersion) line += `,"tls_version":"${facts.tlsVersion}"`
    if (facts.clientCertificate) line += `,"client_certificate":${quote(facts.clientCertificate.subject)}`
    const userAgent = exchange.header('user-agent')
    if (userAgent !== undefined) line += `,"user_agent":${quote(userAgent)}`
    this.#file.append(`${line}}\n`)
  }

  /** What was refused before it could be understood as a request has a line as well, with what is known of it. */
  writeRefused(refused: { requestId: string; facts: ClientFacts; status: number; code: string }): void {
    const { requestId, facts, status, code } = refused
    this.#file.append(
      `${lineBeginning()}${requestId}","client_address":"${facts.peerAddress}",` +
        `"scheme":"${facts.scheme}","status":${status},"code":"${code}"}\n`,
    )
  }

  reopen(): void {
    this.#file.reopen()
  }

  close(): void {
    this.#file.close()
  }
}
