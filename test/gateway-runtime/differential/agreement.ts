import { type Field, listOf, type StrictRequest, type StrictResponse } from '../../support/strict-http.ts'

/*
 * What a message may become on its way through the gateway, said once more and from the RFCs: the differential tests
 * hold the gateway to it. Each function returns what is wrong; nothing where all is right.
 */

const hopByHop = [
  'connection',
  'keep-alive',
  'proxy-connection',
  'proxy-authenticate',
  'proxy-authorization',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
  'http2-settings',
  'content-length',
]
const ofTheHop = ['host', 'expect']
const whoTheClientIs = /^(x-forwarded-(for|proto|host|port|prefix)|forwarded|x-real-ip|x-request-id)$/

/** The fields that an intermediary passes on (RFC 9110 section 7.6.1), as comparable lines. */
function endToEnd(fields: readonly Field[], isOwn: (name: string) => boolean): string[] {
  const named = listOf(fields, 'connection')
  return fields
    .map(([name, value]) => [name.toLowerCase(), value] as const)
    .filter(([name]) => !hopByHop.includes(name) && !named.includes(name) && !isOwn(name))
    .map(([name, value]) => `${name}: ${value}`)
}

const difference = (what: string, expected: unknown, seen: unknown): string[] =>
  JSON.stringify(expected) === JSON.stringify(seen)
    ? []
    : [`${what}: expected ${JSON.stringify(expected)}, seen ${JSON.stringify(seen)}`]

/** In origin form; undefined for paths that normalisation may change, which have tests of their own. */
function comparableTarget(target: string): string | undefined {
  const origin = target.replace(/^https?:\/\/[^/?]*/i, '').replace(/^(?=\?|$)/, '/')
  const [path] = origin.split('?')
  return /[%\\]|\/\/|\/\./.test(path!) ? undefined : origin
}

/** Whether what the upstream was sent is the request that the client sent. */
export function compareRequests(sent: StrictRequest, seen: StrictRequest): string[] {
  const isOwn = (name: string) =>
    ofTheHop.includes(name) || whoTheClientIs.test(name) || !/^[a-z0-9-]+$/.test(name)
  const via = seen.fields.findLastIndex(([name]) => name.toLowerCase() === 'via')
  const target = comparableTarget(sent.target)
  return [
    ...difference('method', sent.method, seen.method),
    ...(target === undefined ? [] : difference('target', target, seen.target)),
    ...difference('body', sent.body, seen.body),
    ...difference('fields', endToEnd(sent.fields, isOwn), endToEnd(seen.fields.toSpliced(via, 1), isOwn)),
    ...unsentTrailers(sent, seen),
  ]
}

const unsentTrailers = (
  sent: StrictRequest | StrictResponse,
  seen: StrictRequest | StrictResponse,
): string[] => {
  const known = sent.trailers.map(([name, value]) => `${name}: ${value}`)
  return seen.trailers
    .map(([name, value]) => `${name}: ${value}`)
    .filter((line) => !known.includes(line))
    .map((line) => `trailer out of nowhere: ${line}`)
}

const field =
  "[!#$%&'*+\\-.^_`|~0-9A-Za-z]+: (?:[\\x21-\\x7e\\x80-\\xff](?:[\\t\\x20-\\x7e\\x80-\\xff]*[\\x21-\\x7e\\x80-\\xff])?)?\\r\\n"
const canonicalRequest = new RegExp(
  `^[A-Z-]+ (?:/[\\x21-\\x7e]*|\\*) HTTP/1\\.1\\r\\nhost: [^\\r\\n]+\\r\\n(?:${field})*\\r\\n$`,
)
const canonicalResponse = new RegExp(`^HTTP/1\\.1 [2-5]\\d\\d [A-Za-z' -]*\\r\\n(?:${field})*\\r\\n$`)
const canonicalChunks = /^(?:[1-9a-f][0-9a-f]*|0)$/

/** Whether a message is written as the gateway writes: one form of head, and one framing. */
export function checkCanonical(message: StrictRequest | StrictResponse): string[] {
  const wrong: string[] = []
  const isRequest = 'method' in message
  if (!(isRequest ? canonicalRequest : canonicalResponse).test(message.rawHead))
    wrong.push('head not canonical')
  const names = message.fields.map(([name]) => name)
  const framings = names.filter((name) => /^(content-length|transfer-encoding)$/i.test(name))
  if (framings.length > 1) wrong.push(`framings: ${framings.join(', ')}`)
  if (framings.some((name) => name !== name.toLowerCase()))
    wrong.push(`the framing of the sender: ${framings}`)
  if (isRequest) {
    const oddNames = names.filter((name) => !/^[A-Za-z0-9-]+$/.test(name))
    if (oddNames.length > 0) wrong.push(`names: ${oddNames.join(', ')}`)
    for (const name of ['host', 'x-request-id', 'x-forwarded-for', 'x-forwarded-proto']) {
      if (names.filter((other) => other.toLowerCase() === name).length !== 1) wrong.push(`not one ${name}`)
    }
  }
  if (message.framing === 'chunked' && !hasCanonicalChunks(message)) wrong.push('chunks not canonical')
  return wrong.map((reason) => `${reason}: ${JSON.stringify(message.raw)}`)
}

/** Sizes in the shortest form, without extensions. */
function hasCanonicalChunks({ raw, rawHead }: StrictRequest | StrictResponse): boolean {
  for (let at = rawHead.length; ; ) {
    const end = raw.indexOf('\r\n', at)
    const line = raw.substring(at, end)
    if (!canonicalChunks.test(line)) return false
    if (line === '0') return true
    at = end + 2 + Number.parseInt(line, 16) + 2
  }
}

/** Whether what the client got is the answer that the upstream gave. */
export function compareResponses(sent: StrictResponse, seen: StrictResponse): string[] {
  const isOwn = (name: string) => /^(date|x-request-id)$/.test(name)
  return [
    ...difference('status', sent.status, seen.status),
    ...difference('body', sent.body, seen.body),
    ...difference('fields', endToEnd(sent.fields, isOwn), endToEnd(seen.fields, isOwn)),
    ...unsentTrailers(sent, seen),
  ]
}
