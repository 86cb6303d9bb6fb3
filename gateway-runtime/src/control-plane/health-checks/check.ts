import { isIP } from 'node:net'
import type { Target } from '../../config/snapshot.ts'

/**
 * Asks a target once how it is. Resolves where it is well; rejects with an error whose message says what was wrong.
 * Settles, with nothing left open, when `signal` aborts.
 */
export type Check = (signal: AbortSignal) => Promise<void>

/** What a target did that one which is well does not; the message is for the error log. */
export class CheckFailure extends Error {
  override readonly name = 'CheckFailure'
}

/** Bytes of an answer that are read at most: what says how a target is, is short. */
export const mostAnswerBytes = 65_536

/** `host:port` as it stands in a Host header and in a URL. */
export const authorityOf = ({ host, port }: Target): string =>
  host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`

interface CheckedOverTls {
  readonly tlsVerify: boolean
  readonly host: string | undefined
}

/** Settings of a TLS connection for a check: the name that is asked under is also the server name. */
export function tlsSettings(target: Target, { tlsVerify, host }: CheckedOverTls) {
  const name = (host ?? target.host).replace(/:\d+$/, '').replace(/^\[|\]$/g, '')
  // RFC 6066 section 3: an address is not a server name.
  return { rejectUnauthorized: tlsVerify, servername: isIP(name) ? '' : name }
}
