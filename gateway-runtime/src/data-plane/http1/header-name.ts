import { ownCopy } from './own-copy.ts'
import { WordTable } from './word-table.ts'

/** What the proxy must know of a header field to treat it right; the rest is `other` and passes as it is. */
export const HeaderKind = {
  other: 0,
  host: 1,
  connection: 2,
  contentLength: 3,
  transferEncoding: 4,
  expect: 5,
  /** Means something on one connection only (RFC 9110 section 7.6.1): never passed on. */
  hopByHop: 6,
  /** Says who the client is: believed from trusted proxies only, replaced from all others. */
  forwarded: 7,
  forwardedFor: 8,
  requestId: 9,
  /** May stand once (RFC 9110 section 5.3): a second one is refused. */
  singleton: 10,
  /** A name that two servers could take for different ones (`_`, `.`): dropped. */
  ambiguous: 11,
  date: 12,
  /** Only the gateway says it: from clients, and from proxies in front, it counts for nothing and is not passed on. */
  gatewayOwned: 13,
  /** The standard's own (RFC 7239), in place of or beside the others. */
  forwardedStandard: 14,
} as const
export type HeaderKind = (typeof HeaderKind)[keyof typeof HeaderKind]

export interface HeaderName {
  /** As it was sent. */
  readonly raw: string
  /** `raw` and what stands between it and the value: a line of HTTP/1.1 begins so. */
  readonly start: string
  readonly lower: string
  readonly kind: HeaderKind
}

const kinds = new Map<string, HeaderKind>([
  ['host', HeaderKind.host],
  ['connection', HeaderKind.connection],
  ['content-length', HeaderKind.contentLength],
  ['transfer-encoding', HeaderKind.transferEncoding],
  ['expect', HeaderKind.expect],
  ['keep-alive', HeaderKind.hopByHop],
  ['proxy-connection', HeaderKind.hopByHop],
  ['proxy-authenticate', HeaderKind.hopByHop],
  ['proxy-authorization', HeaderKind.hopByHop],
  ['te', HeaderKind.hopByHop],
  ['trailer', HeaderKind.hopByHop],
  ['upgrade', HeaderKind.hopByHop],
  ['http2-settings', HeaderKind.hopByHop],
  ['forwarded', HeaderKind.forwardedStandard],
  ['x-forwarded-proto', HeaderKind.forwarded],
  ['x-forwarded-host', HeaderKind.forwarded],
  ['x-forwarded-port', HeaderKind.forwarded],
  ['x-forwarded-prefix', HeaderKind.forwarded],
  ['x-real-ip', HeaderKind.forwarded],
  ['x-forwarded-for', HeaderKind.forwardedFor],
  ['x-request-id', HeaderKind.requestId],
  ['authorization', HeaderKind.singleton],
  ['content-type', HeaderKind.singleton],
  ['origin', HeaderKind.singleton],
  ['date', HeaderKind.date],
  ['x-client-cert-subject', HeaderKind.gatewayOwned],
  ['x-client-cert-san', HeaderKind.gatewayOwned],
  ['x-client-cert-fingerprint', HeaderKind.gatewayOwned],
  ['x-consumer-username', HeaderKind.gatewayOwned],
  ['x-consumer-custom-id', HeaderKind.gatewayOwned],
  ['x-consumer-groups', HeaderKind.gatewayOwned],
  ['client-cert', HeaderKind.gatewayOwned], // RFC 9440
  ['client-cert-chain', HeaderKind.gatewayOwned],
])

const known = new Map<string, HeaderName>()
const mostKnown = 4_096
/** The same, of those that were looked for by their bytes. */
const knownBytes = new WordTable<HeaderName>(4 * mostKnown)

/**
 * The one object for a header name. Real traffic repeats the same few names, so their analysis is done once;
 * past 4,096 different ones (somebody invents them) it is done each time and nothing is kept.
 */
export function headerName(raw: string): HeaderName {
  return known.get(raw) ?? learn(raw)
}

/** The one object for the header name in these bytes, which are a token of this hash (`hashWith`). */
export function headerNameAt(bytes: Buffer, start: number, end: number, hash: number): HeaderName {
  const found = knownBytes.find(bytes, start, end, hash)
  if (found) return found
  const raw = bytes.toString('latin1', start, end)
  const name = headerName(raw)
  if (known.has(raw)) knownBytes.add(raw, name)
  return name
}

function learn(slice: string): HeaderName {
  const raw = ownCopy(slice)
  const lower = raw.toLowerCase()
  const kind = /^[a-z0-9-]+$/.test(lower) ? (kinds.get(lower) ?? HeaderKind.other) : HeaderKind.ambiguous
  const name = { raw, start: ownCopy(`${raw}: `), lower, kind }
  if (known.size < mostKnown) known.set(raw, name)
  return name
}
