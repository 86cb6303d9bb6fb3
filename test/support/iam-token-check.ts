import { createHash, createHmac } from 'node:crypto'
import type { RoleCredentials } from './instance-metadata.ts'

/** What a service of AWS makes of a token. */
export interface TokenClaims {
  readonly host: string
  readonly query: URLSearchParams
}

const hmac = (key: string | Buffer, text: string) => createHmac('sha256', key).update(text).digest()
const encode = (text: string) =>
  encodeURIComponent(text).replace(/[!'()*]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`)

/**
 * Checks a token as ElastiCache and RDS do, from the specification of Signature Version 4 for query strings alone.
 * @param known - credentials that are in force
 * @returns what it says, or undefined where it is not signed by one of them, or has expired
 */
export function checkIamToken(
  token: string,
  service: string,
  known: readonly RoleCredentials[],
): TokenClaims | undefined {
  const [host, queryText] = token.split('/?') as [string, string]
  const query = new URLSearchParams(queryText)
  const [accessKey, date, region, ...rest] = query.get('X-Amz-Credential')?.split('/') ?? []
  const credentials = known.find(({ accessKeyId }) => accessKeyId === accessKey)
  if (!credentials || rest.join('/') !== `${service}/aws4_request`) return undefined
  if (query.get('X-Amz-Security-Token') !== credentials.sessionToken) return undefined
  if (!isInForce(query, credentials)) return undefined
  const canonicalQuery = [...query]
    .filter(([name]) => name !== 'X-Amz-Signature')
    .map(([name, value]) => `${encode(name)}=${encode(value)}`)
    .sort()
    .join('&')
  const request = ['GET', '/', canonicalQuery, `host:${host}`, '', 'host', hash('')].join('\n')
  const scope = `${date}/${region}/${service}/aws4_request`
  const text = ['AWS4-HMAC-SHA256', query.get('X-Amz-Date'), scope, hash(request)].join('\n')
  const key = [region!, service, 'aws4_request'].reduce<Buffer>(
    hmac,
    hmac(`AWS4${credentials.secretAccessKey}`, date!),
  )
  return hmac(key, text).toString('hex') === query.get('X-Amz-Signature') ? { host, query } : undefined
}

function isInForce(query: URLSearchParams, { expiration }: RoleCredentials): boolean {
  const [, ...parts] = /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/.exec(query.get('X-Amz-Date')!)!
  const [year, month, day, hour, minute, second] = parts.map(Number) as [number, ...number[]]
  const signed = Date.UTC(year, month! - 1, day, hour, minute, second)
  const seconds = Number(query.get('X-Amz-Expires'))
  return seconds <= 900 && Date.now() < signed + seconds * 1_000 && Date.now() < expiration.getTime()
}

const hash = (text: string) => createHash('sha256').update(text).digest('hex')
