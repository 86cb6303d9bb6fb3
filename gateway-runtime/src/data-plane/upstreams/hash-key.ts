import { randomBytes } from 'node:crypto'
import type { HashSource } from '../../config/snapshot.ts'
import type { Exchange } from '../exchange.ts'
import { hashText } from './hash-ring.ts'

/**
 * The hash of what `source`, or else `fallback`, names of a request; of a request that has neither, a random one.
 * A cookie that is missing is given to the client with the answer.
 */
export function hashOf(exchange: Exchange, source: HashSource, fallback: HashSource): number {
  const key = keyOf(exchange, source) ?? keyOf(exchange, fallback)
  return key === undefined ? Math.floor(Math.random() * 2 ** 32) : hashText(key)
}

function keyOf(exchange: Exchange, source: HashSource): string | undefined {
  switch (source.kind) {
    case 'none':
      return undefined
    case 'ip':
      return exchange.clientAddress
    case 'path':
      return exchange.path
    case 'header':
      return exchange.header(source.name)
    case 'cookie':
      return cookieOf(exchange, source.name) ?? giveCookie(exchange, source)
  }
}

/** The value of a cookie (RFC 6265 section 4.2.1). HTTP/2 may bring each cookie in a field of its own. */
export function cookieOf({ head }: Pick<Exchange, 'head'>, name: string): string | undefined {
  for (let index = 0; index < head.names.length; index++) {
    if (head.names[index]!.lower !== 'cookie') continue
    for (const pair of head.values[index]!.split(';')) {
      const equals = pair.indexOf('=')
      if (equals > 0 && pair.slice(0, equals).trim() === name) return pair.slice(equals + 1).trim()
    }
  }
  return undefined
}

function giveCookie(exchange: Exchange, { name, path }: { name: string; path: string }): string {
  const value = randomBytes(16).toString('base64url')
  const secure = exchange.facts.scheme === 'https' ? '; Secure' : ''
  exchange.addResponseHeader('set-cookie', `${name}=${value}; Path=${path}; HttpOnly; SameSite=Lax${secure}`)
  return value
}
