import { METHODS } from 'node:http'
import { byteClasses, CR, isTarget, isText, isToken, SP } from './bytes.ts'
import { incomplete, lineEnd } from './field-section.ts'
import { malformed, ParseError } from './parse-error.ts'
import { hashWith, WordTable } from './word-table.ts'

const methods = new WordTable<string>(256)
for (const method of METHODS) methods.add(method, method)

const httpName = Buffer.from('HTTP/')
/** `HTTP/1.1` */
const versionLength = httpName.length + 3
const isDigit = (byte: number): boolean => byte >= 0x30 && byte <= 0x39

/** What was found of the line that was scanned last. */
export const startLine = {
  method: '',
  targetStart: 0,
  targetEnd: 0,
  /** 10 for HTTP/1.0, 11 for HTTP/1.1; other versions as they came. */
  version: 0,
  status: 0,
}

/**
 * Looks for a request line (RFC 9112 section 3). Returns the position behind it, or `incomplete`. Strict: one space
 * between its parts, a known method, a target of printable ASCII. Throws ParseError.
 */
export function scanRequestLine(bytes: Buffer, start: number, end: number, targetBytes: number): number {
  if (bytes[start] === CR && start + 1 === end) return incomplete // it may become an empty line
  let at = start
  let hash = 0
  while (at < end && (byteClasses[bytes[at]!]! & isToken) !== 0) hash = hashWith(hash, bytes[at++]!)
  if (at === end) return incomplete
  const method = bytes[at] === SP ? methods.find(bytes, start, at, hash) : undefined
  if (method === undefined) throw malformed('the line begins with no known method and a space')
  const targetStart = ++at
  while (at < end && (byteClasses[bytes[at]!]! & isTarget) !== 0) at++
  if (at - targetStart > targetBytes)
    throw new ParseError('target-too-large', `request target over ${targetBytes} bytes`)
  if (at === end) return incomplete
  if (at === targetStart || bytes[at] !== SP) throw malformed('no target and a space behind the method')
  startLine.method = method
  startLine.targetStart = targetStart
  startLine.targetEnd = at
  const behind = scanVersion(bytes, at + 1, end)
  if (behind === incomplete || behind === end) return incomplete
  if (bytes[behind] !== CR) throw malformed('something behind the version')
  return lineEnd(bytes, behind, end)
}

/**
 * Looks for a status line (RFC 9112 section 4). Returns the position behind it, or `incomplete`. A space stands behind
 * the status, also without a reason phrase. Throws ParseError.
 */
export function scanStatusLine(bytes: Buffer, start: number, end: number): number {
  let at = scanVersion(bytes, start, end)
  if (at === incomplete || at === end) return incomplete
  if (bytes[at++] !== SP) throw malformed('no space behind the version')
  let status = 0
  for (let digit = 0; digit < 3; digit++, at++) {
    if (at === end) return incomplete
    if (!isDigit(bytes[at]!)) throw malformed('the status is no number')
    status = status * 10 + bytes[at]! - 0x30
  }
  if (at === end) return incomplete
  if (bytes[at] !== SP) throw malformed('no space behind the status')
  while (at < end && (byteClasses[bytes[at]!]! & isText) !== 0) at++
  if (at === end) return incomplete
  if (bytes[at] !== CR) throw malformed('a control character in the reason phrase')
  startLine.status = status
  return lineEnd(bytes, at, end)
}

function scanVersion(bytes: Buffer, start: number, end: number): number {
  for (let index = 0; index < versionLength; index++) {
    if (start + index === end) return incomplete
    const byte = bytes[start + index]!
    const isRight =
      index < httpName.length ? byte === httpName[index] : index === 6 ? byte === 0x2e : isDigit(byte)
    if (!isRight) throw malformed('no version of HTTP')
  }
  startLine.version = (bytes[start + 5]! - 0x30) * 10 + bytes[start + 7]! - 0x30
  return start + versionLength
}
