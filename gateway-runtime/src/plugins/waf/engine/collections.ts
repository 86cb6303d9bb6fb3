import { parseForm } from '../body/form.ts'
import { BodyProblem, type Field } from '../body/parsed-body.ts'
import { isSpace } from '../transformations/bytes.ts'
import { hasInvalidEncoding, percentDecode } from '../transformations/url-decode.ts'
import { type Entry, entry, entryIn } from './entry.ts'
import type { Transaction } from './transaction.ts'

type Collection = (transaction: Transaction) => readonly Entry[]

const single = (name: string, value: string): readonly Entry[] => [entry(name, '', value)]
const flag = (name: string, on: boolean) => single(name, on ? '1' : '0')

/** A collection of one value, which is missing where it is undefined. */
const one =
  (name: string, value: (transaction: Transaction) => string | undefined): Collection =>
  (transaction) => {
    const found = value(transaction)
    return found === undefined ? [] : single(name, found)
  }

const named = (collection: string, fields: readonly Field[]): Entry[] =>
  fields.map(({ name, value }) => entry(collection, name, value))

/** The names of entries, as values. */
const namesOf =
  (source: string, collection: string): Collection =>
  (transaction) =>
    transaction.collection(source).map(({ key }) => entry(collection, key, key))

const renamed =
  (sources: readonly string[], collection: string): Collection =>
  (transaction) =>
    sources.flatMap((source) => transaction.collection(source).map((found) => entryIn(collection, found)))

const sizeOf = (entries: readonly Entry[]) =>
  entries.reduce((sum, { key, value }) => sum + key.length + value.raw.length, 0)

/** Path and query; ModSecurity cuts off a fragment. */
function splitTarget(target: string): { path: string; query: string | undefined } {
  const hash = target.indexOf('#')
  const whole = hash < 0 ? target : target.slice(0, hash)
  const mark = whole.indexOf('?')
  return mark < 0
    ? { path: whole, query: undefined }
    : { path: whole.slice(0, mark), query: whole.slice(mark + 1) }
}

const pathOf = ({ facts }: Transaction) => percentDecode(splitTarget(facts.target).path)

function queryArguments(transaction: Transaction): readonly Entry[] {
  const { query = '' } = splitTarget(transaction.facts.target)
  try {
    return named('ARGS_GET', parseForm(query, transaction.limits.arguments))
  } catch (error) {
    if (!(error instanceof BodyProblem)) throw error
    transaction.queryProblem = `query: ${error.message}`
    return []
  }
}

/** `a=1; b=2` of all Cookie headers; a name without = is a cookie without a value. */
function cookies({ facts }: Transaction): readonly Entry[] {
  const found: Entry[] = []
  for (const [header, line] of facts.headers) {
    if (header.length !== 6 || header.toLowerCase() !== 'cookie') continue
    for (const pair of line.trimEnd().split(';')) {
      const equals = pair.indexOf('=')
      const name = (equals < 0 ? pair : pair.slice(0, equals)).trimStart()
      if (name !== '') found.push(entry('REQUEST_COOKIES', name, equals < 0 ? '' : pair.slice(equals + 1)))
    }
  }
  return found
}

function basename(path: string): string | undefined {
  const start = Math.max(path.lastIndexOf('/'), path.lastIndexOf('\\')) + 1
  return start > 0 && start < path.length ? path.slice(start) : undefined
}

/** The target without scheme and host, decoded. */
function requestUri({ facts }: Transaction): string {
  const { path, query } = splitTarget(facts.target)
  const decoded = percentDecode(query === undefined ? path : `${path}?${query}`)
  const scheme = decoded.startsWith('/') ? -1 : decoded.indexOf('://')
  const slash = scheme < 0 ? -1 : decoded.indexOf('/', scheme + 3)
  return slash < 0 ? decoded : decoded.slice(slash)
}

const header = ({ facts }: Transaction, name: string) =>
  facts.headers.find(([found]) => found.toLowerCase() === name)?.[1]

function authType(transaction: Transaction): string | undefined {
  const value = header(transaction, 'authorization')
  if (value === undefined) return undefined
  const end = [...value].findIndex((character) => isSpace(character.charCodeAt(0)))
  return end < 0 ? value : value.slice(0, end)
}

const multipartFlags = [
  'MULTIPART_STRICT_ERROR',
  'MULTIPART_UNMATCHED_BOUNDARY',
  'MULTIPART_CRLF_LF_LINES',
  'MULTIPART_LF_LINE',
  'MULTIPART_BOUNDARY_QUOTED',
  'MULTIPART_BOUNDARY_WHITESPACE',
  'MULTIPART_DATA_BEFORE',
  'MULTIPART_DATA_AFTER',
  'MULTIPART_HEADER_FOLDING',
  'MULTIPART_INVALID_HEADER_FOLDING',
  'MULTIPART_INVALID_PART',
  'MULTIPART_INVALID_QUOTING',
  'MULTIPART_MISSING_SEMICOLON',
  'MULTIPART_FILE_LIMIT_EXCEEDED',
]

/** The collections of SecLang that hold for a phase, by their names. */
export const collections: Readonly<Record<string, Collection>> = {
  ARGS_GET: queryArguments,
  ARGS_POST: ({ body }) => named('ARGS_POST', body.fields),
  ARGS: renamed(['ARGS_GET', 'ARGS_POST'], 'ARGS'),
  ARGS_GET_NAMES: namesOf('ARGS_GET', 'ARGS_GET_NAMES'),
  ARGS_POST_NAMES: namesOf('ARGS_POST', 'ARGS_POST_NAMES'),
  ARGS_NAMES: namesOf('ARGS', 'ARGS_NAMES'),
  ARGS_COMBINED_SIZE: (transaction) =>
    single('ARGS_COMBINED_SIZE', String(sizeOf(transaction.collection('ARGS')))),
  AUTH_TYPE: one('AUTH_TYPE', authType),
  FILES: ({ body }) => body.files.map(({ name, fileName }) => entry('FILES', name, fileName)),
  FILES_NAMES: ({ body }) => body.files.map(({ name }) => entry('FILES_NAMES', name, name)),
  FILES_SIZES: ({ body }) => body.files.map(({ name, size }) => entry('FILES_SIZES', name, String(size))),
  FILES_COMBINED_SIZE: ({ body }) =>
    single('FILES_COMBINED_SIZE', String(body.files.reduce((sum, { size }) => sum + size, 0))),
  INBOUND_DATA_ERROR: ({ facts }) => flag('INBOUND_DATA_ERROR', facts.bodyCut === true),
  MULTIPART_PART_HEADERS: ({ body }) => named('MULTIPART_PART_HEADERS', body.partHeaders),
  MULTIPART_FILENAME: ({ body }) =>
    body.files.map(({ name, fileName }) => entry('MULTIPART_FILENAME', name, fileName)),
  MULTIPART_NAME: ({ body }) => body.files.map(({ name }) => entry('MULTIPART_NAME', name, name)),
  PATH_INFO: one('PATH_INFO', pathOf),
  QUERY_STRING: one('QUERY_STRING', ({ facts }) => splitTarget(facts.target).query),
  REMOTE_ADDR: one('REMOTE_ADDR', ({ facts }) => facts.clientAddress),
  REMOTE_HOST: one('REMOTE_HOST', ({ facts }) => facts.clientAddress),
  REQBODY_PROCESSOR: one('REQBODY_PROCESSOR', ({ processor }) => processor ?? ''),
  REQBODY_ERROR: ({ body }) => flag('REQBODY_ERROR', body.problem !== undefined),
  REQBODY_ERROR_MSG: one('REQBODY_ERROR_MSG', ({ body }) => body.problem ?? ''),
  REQBODY_PROCESSOR_ERROR: ({ body }) => flag('REQBODY_PROCESSOR_ERROR', body.problem !== undefined),
  REQUEST_BASENAME: one('REQUEST_BASENAME', (transaction) => basename(pathOf(transaction))),
  REQUEST_BODY: one('REQUEST_BODY', ({ bodyText }) => (bodyText === '' ? undefined : bodyText)),
  REQUEST_BODY_LENGTH: one('REQUEST_BODY_LENGTH', ({ bodyText }) =>
    bodyText === '' ? undefined : String(bodyText.length),
  ),
  REQUEST_COOKIES: cookies,
  REQUEST_COOKIES_NAMES: namesOf('REQUEST_COOKIES', 'REQUEST_COOKIES_NAMES'),
  REQUEST_FILENAME: one('REQUEST_FILENAME', pathOf),
  REQUEST_HEADERS: ({ facts }) => facts.headers.map(([name, value]) => entry('REQUEST_HEADERS', name, value)),
  REQUEST_HEADERS_NAMES: namesOf('REQUEST_HEADERS', 'REQUEST_HEADERS_NAMES'),
  REQUEST_LINE: one('REQUEST_LINE', ({ facts }) => `${facts.method} ${facts.target} ${facts.protocol}`),
  REQUEST_METHOD: one('REQUEST_METHOD', ({ facts }) => facts.method),
  REQUEST_PROTOCOL: one('REQUEST_PROTOCOL', ({ facts }) => facts.protocol),
  REQUEST_URI: one('REQUEST_URI', requestUri),
  REQUEST_URI_RAW: one('REQUEST_URI_RAW', ({ facts }) => facts.target),
  RESPONSE_BODY: one('RESPONSE_BODY', ({ response }) =>
    response?.body ? Buffer.from(response.body).toString('latin1') : undefined,
  ),
  RESPONSE_CONTENT_TYPE: one(
    'RESPONSE_CONTENT_TYPE',
    ({ response }) => response?.headers.find(([name]) => name.toLowerCase() === 'content-type')?.[1],
  ),
  RESPONSE_HEADERS: ({ response }) =>
    (response?.headers ?? []).map(([name, value]) => entry('RESPONSE_HEADERS', name, value)),
  RESPONSE_HEADERS_NAMES: namesOf('RESPONSE_HEADERS', 'RESPONSE_HEADERS_NAMES'),
  RESPONSE_PROTOCOL: one('RESPONSE_PROTOCOL', ({ response }) => response?.protocol),
  RESPONSE_STATUS: one('RESPONSE_STATUS', ({ response }) => response && String(response.status)),
  SERVER_NAME: one('SERVER_NAME', (transaction) => header(transaction, 'host')?.split(':')[0]),
  UNIQUE_ID: one('UNIQUE_ID', () => `${Math.round(performance.now() * 1_000)}`),
  URLENCODED_ERROR: ({ facts, processor, bodyText }) =>
    flag(
      'URLENCODED_ERROR',
      hasInvalidEncoding(splitTarget(facts.target).query ?? '') ||
        (processor === 'URLENCODED' && hasInvalidEncoding(bodyText)),
    ),
  XML: ({ body }) =>
    body.xml
      ? [
          entry('XML', '/*', body.xml.text),
          ...body.xml.attributes.map((value) => entry('XML', '//@*', value)),
        ]
      : [],
  // Kept between requests by ModSecurity; here they are empty, which switches off the rules that count over requests.
  ...Object.fromEntries(
    ['IP', 'GLOBAL', 'SESSION', 'USER', 'RESOURCE', 'GEO', 'ENV'].map((name) => [name, () => []]),
  ),
  ...Object.fromEntries(
    multipartFlags.map((name) => [
      name,
      ({ processor, body }: Transaction) =>
        flag(name, processor === 'MULTIPART' && body.problem !== undefined),
    ]),
  ),
}
