import { type Problem, problem } from '../problem.ts'
import { normalizeTarget } from '../request-path.ts'
import { HeaderKind, type HeaderName } from './header-name.ts'
import { ownCopy } from './own-copy.ts'
import type { MessageHead } from './parser.ts'

/** A request head that was found sound. */
export interface RequestHead {
  readonly method: string
  readonly path: string
  /** With its question mark, or ''. */
  readonly query: string
  /** As it is to be passed on: host, with a port where one was given. */
  readonly authority: string
  /** Lower-case, without port: for routing. */
  readonly host: string
  readonly version: number
  readonly keepAlive: boolean
  readonly names: readonly HeaderName[]
  readonly values: readonly string[]
  /** Fields that `Connection` names (RFC 9110 section 7.6.1): not passed on. Lower-case. */
  readonly connectionFields: readonly string[]
  readonly isChunked: boolean
  /** Bytes of the body where they were announced; 0 for none; undefined with chunks. */
  readonly contentLength: number | undefined
  readonly expectsContinue: boolean
  /** Whether the client takes trailers (RFC 9110 section 10.1.4). */
  readonly acceptsTrailers: boolean
  /** The one protocol that the client offers to change to (RFC 9110 section 7.8), lower-case. */
  readonly upgrade: string | undefined
}

/** Why a head is refused; the connection is closed with the answer. */
export class HeadRefused extends Error {
  override readonly name = 'HeadRefused'
  readonly problem: Problem
  constructor(status: number, code: string, detail: string) {
    super(detail)
    this.problem = problem(status, code, detail)
  }
}

const refuse = (detail: string): never => {
  throw new HeadRefused(400, 'malformed-request', detail)
}

const longestHost = 255 + 6 // a name of DNS with a port

// RFC 3986 section 3.2.2 host with an optional port, as RFC 9110 section 7.2 wants it in Host.
const hostPattern = /^([A-Za-z0-9._~-]+|\[[0-9A-Fa-f:.]+\])(?::\d{0,5})?$/
// Named in Connection, these would let a client take away what the gateway or a server relies on.
const protectedFields =
  /^(host|authorization|cookie|content-.*|transfer-encoding|x-forwarded-.*|forwarded|x-real-ip|x-request-id|via)$/

/**
 * Checks what the parser leaves to its caller (RFC 9112 sections 3.2 and 6, RFC 9110 sections 5.3, 7.2 and 10.1.1).
 * Throws HeadRefused.
 */
export function readRequestHead(head: MessageHead): RequestHead {
  if (head.version !== 11 && head.version !== 10) {
    throw new HeadRefused(505, 'http-version-not-supported', 'the gateway speaks HTTP/1.0 and HTTP/1.1 here')
  }
  return readCommonHead(head)
}

/** What is the same for every version of HTTP. Throws HeadRefused. */
export function readCommonHead(head: MessageHead): RequestHead {
  if (head.method === 'CONNECT' || head.method === 'TRACE' || head.method === 'PRI') {
    throw new HeadRefused(405, 'method-not-allowed', `${head.method} is not served`)
  }
  const fields = readFields(head)
  if (fields.isChunked && fields.contentLength !== undefined) refuse('Content-Length with Transfer-Encoding')
  const target = readTarget(head, fields.host)
  const hasBody = fields.isChunked || (fields.contentLength ?? 0) > 0
  return {
    method: head.method,
    path: target.path,
    query: target.query,
    authority: target.authority,
    host: target.host,
    version: head.version,
    keepAlive: head.keepAlive,
    names: head.names,
    values: head.values,
    connectionFields: fields.connectionFields,
    isChunked: fields.isChunked,
    contentLength: fields.isChunked ? undefined : (fields.contentLength ?? 0),
    expectsContinue: fields.expectsContinue && hasBody && head.version !== 10,
    acceptsTrailers: fields.acceptsTrailers,
    upgrade: readUpgrade(head, fields, hasBody),
  }
}

/** The head with other fields. Each property by its name: a spread takes several times as long, once a request. */
export function withFields(
  head: RequestHead,
  { names, values }: Pick<RequestHead, 'names' | 'values'>,
): RequestHead {
  return {
    method: head.method,
    path: head.path,
    query: head.query,
    authority: head.authority,
    host: head.host,
    version: head.version,
    keepAlive: head.keepAlive,
    names,
    values,
    connectionFields: head.connectionFields,
    isChunked: head.isChunked,
    contentLength: head.contentLength,
    expectsContinue: head.expectsContinue,
    acceptsTrailers: head.acceptsTrailers,
    upgrade: head.upgrade,
  }
}

/**
 * h2c is no offer to tunnel: it is passed over. Any other with a body is refused: servers do not agree on where the
 * new protocol would begin.
 */
function readUpgrade(head: MessageHead, fields: Fields, hasBody: boolean): string | undefined {
  const { upgrade } = fields
  if (upgrade === undefined || !fields.namesUpgrade || head.version !== 11 || upgrade === 'h2c')
    return undefined
  if (hasBody) refuse('Upgrade with a body')
  return head.method === 'GET' && /^[a-z0-9!#$%&'*+.^_`|~/-]+$/.test(upgrade) ? upgrade : undefined
}

interface Fields {
  upgrade: string | undefined
  /** Whether Connection says that Upgrade is meant. */
  namesUpgrade: boolean
  host: string | undefined
  isChunked: boolean
  contentLength: number | undefined
  connectionFields: readonly string[]
  expectsContinue: boolean
  acceptsTrailers: boolean
}

const none: readonly string[] = []

function readFields(head: MessageHead): Fields {
  const fields: Fields = {
    upgrade: undefined,
    namesUpgrade: false,
    host: undefined,
    isChunked: false,
    contentLength: undefined,
    connectionFields: none,
    expectsContinue: false,
    acceptsTrailers: false,
  }
  let singletons: HeaderName[] | undefined
  for (let index = 0; index < head.names.length; index++) {
    const name = head.names[index]!
    const value = head.values[index]!
    switch (name.kind) {
      case HeaderKind.host:
        if (fields.host !== undefined) refuse('more than one Host')
        fields.host = value
        break
      case HeaderKind.contentLength:
        fields.contentLength = readContentLength(value, fields)
        break
      case HeaderKind.transferEncoding:
        readTransferEncoding(value, head.version, fields)
        break
      case HeaderKind.connection:
        fields.connectionFields = readConnection(value, fields)
        break
      case HeaderKind.expect:
        if (value.toLowerCase() !== '100-continue') {
          throw new HeadRefused(417, 'expectation-failed', 'Expect may only be 100-continue')
        }
        if (fields.expectsContinue) refuse('more than one Expect')
        fields.expectsContinue = true
        break
      case HeaderKind.hopByHop:
        readHopByHop(name, value, fields)
        break
      case HeaderKind.singleton:
        if (singletons?.some((seen) => seen.lower === name.lower)) refuse(`more than one ${name.lower}`)
        singletons = singletons ? [...singletons, name] : [name]
        break
    }
  }
  return fields
}

function readHopByHop({ lower }: HeaderName, value: string, fields: Fields): void {
  if (lower === 'te') fields.acceptsTrailers ||= /(^|,)[ \t]*trailers[ \t]*(,|$)/i.test(value)
  if (lower !== 'upgrade') return
  if (fields.upgrade !== undefined) refuse('more than one upgrade')
  fields.upgrade = value.toLowerCase()
}

function readContentLength(value: string, { contentLength }: Fields): number {
  if (contentLength !== undefined) refuse('more than one Content-Length')
  if (!/^(0|[1-9]\d{0,14})$/.test(value)) refuse('Content-Length is not a plain number')
  return Number(value)
}

function readTransferEncoding(value: string, version: number, fields: Fields): void {
  if (version === 10) refuse('Transfer-Encoding in HTTP/1.0')
  if (fields.isChunked) refuse('more than one Transfer-Encoding')
  if (value.toLowerCase() !== 'chunked') {
    // Nobody can tell where such a body ends (RFC 9112 section 6.3).
    if (/(^|,)[ \t]*chunked[ \t]*,/i.test(value)) refuse('chunked is not the last coding')
    throw new HeadRefused(501, 'transfer-encoding-not-implemented', 'Transfer-Encoding may only be chunked')
  }
  fields.isChunked = true
}

function readConnection(value: string, fields: Fields): readonly string[] {
  const before = fields.connectionFields
  if (value === 'keep-alive' || value === 'close') return before
  const options = value.split(',').map((option) => option.trim().toLowerCase())
  for (const option of options) if (protectedFields.test(option)) refuse(`Connection names ${option}`)
  fields.namesUpgrade ||= options.includes('upgrade')
  return [...before, ...options.filter((option) => !/^(|close|keep-alive|upgrade)$/.test(option))]
}

function readTarget(
  head: MessageHead,
  host: string | undefined,
): Pick<RequestHead, 'path' | 'query' | 'authority' | 'host'> {
  const { target } = head
  // Even where the target says the host itself (RFC 9112 section 3.2.2).
  if (host === undefined) return refuse('no Host')
  let origin = target
  let authority = host
  if (target.charCodeAt(0) !== 0x2f && target !== '*') {
    const absolute = /^https?:\/\/([^/?#]*)(.*)$/i.exec(target)
    if (!absolute) return refuse('the target is neither a path nor an http URL')
    if (absolute[1]!.toLowerCase() !== host.toLowerCase()) refuse('Host and target disagree')
    authority = absolute[1]!
    origin = absolute[2]!.startsWith('/') ? absolute[2]! : `/${absolute[2]}`
  }
  const name = hosts.get(authority) ?? learnHost(authority)
  if (target === '*') {
    if (head.method !== 'OPTIONS') refuse('the target * is for OPTIONS only')
    return { path: '*', query: '', authority, host: name }
  }
  const path = normalizeTarget(origin)
  if ('problem' in path) return refuse(path.problem)
  return { path: path.path, query: path.query, authority, host: name }
}

/** The name in each Host that is a sound one: a gateway sees the same few. Past so many, nothing more is kept. */
const hosts = new Map<string, string>()
const mostHosts = 1_024

function learnHost(authority: string): string {
  if (!hostPattern.test(authority)) refuse('Host is not a host name')
  const name = authority.replace(/:\d*$/, '').toLowerCase()
  if (hosts.size < mostHosts && authority.length <= longestHost) hosts.set(ownCopy(authority), ownCopy(name))
  return name
}
