import { z } from 'zod'
import type { Exchange } from '../contract.ts'

const headerName = z.string().regex(/^[a-z0-9-]+$/, 'expected a lower-case header name')

/** Settings that say who or what is counted apart. */
export const keySettings = {
  by: z
    .enum(['ip', 'consumer', 'api-key', 'header', 'jwt-claim', 'path'])
    .default('ip')
    .describe(
      'Who is counted apart; by the address where a request does not show it. path: all clients of one.',
    ),
  ipv6_prefix: z
    .int()
    .min(16)
    .max(128)
    .default(64)
    .describe('How many bits of an IPv6 address tell clients apart.'),
  api_key_header: headerName.default('apikey').describe('Where the API key stands, with by: api-key.'),
  header: headerName.optional().describe('With by: header.'),
  claim: z.string().min(1).max(256).optional().describe('Claim of a verified token, with by: jwt-claim.'),
}

export type KeySettings = z.output<z.ZodObject<typeof keySettings>>

/** What is missing: setting and message. */
export function keyProblems({ by, header, claim }: KeySettings): (readonly [string, string])[] {
  if (by === 'header' && header === undefined) return [['header', 'by: header needs the name of the header']]
  if (by === 'jwt-claim' && claim === undefined)
    return [['claim', 'by: jwt-claim needs the name of the claim']]
  return []
}

/**
 * What stands for a client's address in a count: an IPv4 address itself, of an IPv6 address the first bits: one
 * customer commonly has 64 to himself, or more (RFC 6177).
 */
export function addressKey(address: string, prefix = 64): string {
  if (!address.includes(':')) return address
  const [head = '', tail] = address.split('%')[0]!.split('::')
  const front = head === '' ? [] : head.split(':')
  const back = tail ? tail.split(':') : []
  // An address that ends in dotted decimals has one group more than colons show.
  const last = back.at(-1) ?? front.at(-1) ?? ''
  const missing = tail === undefined ? 0 : 8 - front.length - back.length - Number(last.includes('.'))
  const groups = [...front, ...Array<string>(Math.max(missing, 0)).fill('0'), ...back]
  return groups
    .flatMap((group) => (group.includes('.') ? dottedGroups(group) : [Number.parseInt(group, 16)]))
    .slice(0, Math.ceil(prefix / 16))
    .map((group, index) => (group & (0xffff << Math.max(16 * (index + 1) - prefix, 0)) & 0xffff).toString(16))
    .join(':')
}

function dottedGroups(text: string): [number, number] {
  const [a = 0, b = 0, c = 0, d = 0] = text.split('.').map(Number)
  return [(a << 8) | b, (c << 8) | d]
}

/** How the key of a request is found. A client that does not show what is counted by is counted by its address. */
export function keyReader(settings: KeySettings): (exchange: Exchange) => string {
  const { by, ipv6_prefix, api_key_header, header = '', claim = '' } = settings
  const address = ({ clientAddress }: Exchange) => addressKey(clientAddress, ipv6_prefix)
  const orAddress =
    (kind: string, value: (exchange: Exchange) => string | undefined) => (exchange: Exchange) => {
      const found = value(exchange)
      return found ? `${kind} ${found}` : address(exchange)
    }
  switch (by) {
    case 'ip':
      return address
    case 'consumer':
      return orAddress('consumer', ({ consumer }) => consumer?.name)
    case 'api-key':
      return orAddress('key', ({ request }) => request.header(api_key_header))
    case 'header':
      return orAddress('header', ({ request }) => request.header(header))
    case 'jwt-claim':
      return orAddress('claim', ({ claims }) => claimText(claims?.[claim]))
    case 'path':
      return ({ request }) => `path ${request.path}`
  }
}

function claimText(value: unknown): string | undefined {
  if (value === undefined || value === null) return undefined
  return typeof value === 'string' ? value : JSON.stringify(value)
}
