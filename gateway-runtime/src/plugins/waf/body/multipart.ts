import { isSpace } from '../transformations/bytes.ts'
import { type BodyLimits, BodyProblem, type Field, type FilePart } from './parsed-body.ts'

/** Header lines that a part may have, and their bytes. */
const maxPartHeaders = 32
const maxHeaderBytes = 8_192

export interface Multipart {
  readonly fields: readonly Field[]
  readonly files: readonly FilePart[]
  readonly partHeaders: readonly Field[]
}

/**
 * Reads multipart/form-data (RFC 7578) as strictly as a parser can that must not see less than the service does: only
 * CRLF, one boundary, each part with a name, no folded or doubled Content-Disposition, nothing after the last boundary.
 * Throws BodyProblem for anything else.
 */
export function parseMultipart(text: string, contentType: string, limits: BodyLimits): Multipart {
  const delimiter = `--${boundaryOf(contentType)}`
  const result = { fields: [] as Field[], files: [] as FilePart[], partHeaders: [] as Field[] }
  if (!text.startsWith(delimiter)) throw new BodyProblem('multipart: it does not begin with its boundary')
  let position = delimiter.length
  while (!text.startsWith('--', position)) {
    if (!text.startsWith('\r\n', position)) throw new BodyProblem('multipart: a boundary that goes on')
    const end = text.indexOf(`\r\n${delimiter}`, position)
    if (end < 0) throw new BodyProblem('multipart: it ends before its last boundary')
    addPart(text.slice(position + 2, end), result)
    if (result.fields.length + result.files.length > limits.arguments) {
      throw new BodyProblem(`multipart: more than ${limits.arguments} parts`)
    }
    position = end + 2 + delimiter.length
  }
  const rest = text.slice(position + 2)
  if (rest !== '' && rest !== '\r\n') throw new BodyProblem('multipart: something follows the last boundary')
  return result
}

function boundaryOf(contentType: string): string {
  const parameters = parametersOf(contentType, 'Content-Type')
  const boundary = parameters.get('boundary')
  if (boundary === undefined || boundary === '') throw new BodyProblem('multipart: a type without a boundary')
  if (boundary.length > 70) throw new BodyProblem('multipart: a boundary longer than 70 characters')
  return boundary
}

function addPart(part: string, result: { fields: Field[]; files: FilePart[]; partHeaders: Field[] }): void {
  const bare = part.startsWith('\r\n')
  const headersEnd = bare ? 0 : part.indexOf('\r\n\r\n')
  if (headersEnd < 0) throw new BodyProblem('multipart: a part whose headers do not end')
  if (headersEnd > maxHeaderBytes) throw new BodyProblem('multipart: a part with too long headers')
  const lines = bare ? [] : part.slice(0, headersEnd).split('\r\n')
  const content = part.slice(headersEnd + (bare ? 2 : 4))
  const disposition = dispositionOf(lines)
  const name = disposition.get('name')
  if (name === undefined) throw new BodyProblem('multipart: a part without a name')
  for (const line of lines) result.partHeaders.push({ name, value: line })
  const fileName = disposition.get('filename') ?? disposition.get('filename*')
  if (fileName === undefined) result.fields.push({ name, value: content })
  else result.files.push({ name, fileName, size: content.length })
}

function dispositionOf(lines: readonly string[]): Map<string, string> {
  if (lines.length > maxPartHeaders) throw new BodyProblem('multipart: a part with too many headers')
  let found: Map<string, string> | undefined
  for (const line of lines) {
    const colon = line.indexOf(':')
    if (colon <= 0 || isSpace(line.charCodeAt(0))) throw new BodyProblem('multipart: a header that is none')
    if (line.includes('\n') || line.includes('\r') || line.includes('\0')) {
      throw new BodyProblem('multipart: a header with a control character')
    }
    if (line.slice(0, colon).trimEnd().toLowerCase() !== 'content-disposition') continue
    if (found) throw new BodyProblem('multipart: a part with two Content-Disposition headers')
    found = parametersOf(line.slice(colon + 1), 'Content-Disposition')
  }
  if (!found) throw new BodyProblem('multipart: a part without Content-Disposition')
  return found
}

/** Parameters of a header's value (RFC 9110, 5.6.6). Doubled ones and open quotes are refused. */
function parametersOf(value: string, header: string): Map<string, string> {
  const parameters = new Map<string, string>()
  let position = value.indexOf(';')
  while (position >= 0 && position < value.length) {
    position = skipSpace(value, position + 1)
    const equals = value.indexOf('=', position)
    if (equals < 0) {
      if (value.slice(position).trim() === '') break
      throw new BodyProblem(`multipart: a parameter of ${header} without a value`)
    }
    const name = value.slice(position, equals).trim().toLowerCase()
    const [text, end] = parameterValue(value, skipSpace(value, equals + 1), header)
    if (parameters.has(name)) throw new BodyProblem(`multipart: ${header} has ${name} twice`)
    parameters.set(name, text)
    position = skipSpace(value, end)
    if (position < value.length && value[position] !== ';') {
      throw new BodyProblem(`multipart: ${header} goes on after a quoted value`)
    }
  }
  return parameters
}

function parameterValue(value: string, start: number, header: string): [string, number] {
  if (value[start] !== '"') {
    const semicolon = value.indexOf(';', start)
    const end = semicolon < 0 ? value.length : semicolon
    return [value.slice(start, end).trimEnd(), end]
  }
  let text = ''
  for (let at = start + 1; at < value.length; at++) {
    if (value[at] === '"') return [text, at + 1]
    // Browsers send backslashes of file names as they are: only an escaped quote or backslash is an escape.
    if (value[at] === '\\' && (value[at + 1] === '"' || value[at + 1] === '\\')) at++
    text += value[at]
  }
  throw new BodyProblem(`multipart: an open quote in ${header}`)
}

function skipSpace(value: string, from: number): number {
  let at = from
  while (at < value.length && isSpace(value.charCodeAt(at))) at++
  return at
}
