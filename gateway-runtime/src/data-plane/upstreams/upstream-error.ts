/** What can go wrong with an upstream: the answer to the client, and what error.log says. */
export const upstreamFailures = {
  'connection-refused': { status: 502, log: 'upstream connection refused' },
  'connection-failed': { status: 502, log: 'upstream connection failed' },
  'name-not-resolved': { status: 502, log: 'upstream name not resolved' },
  'tls-failed': { status: 502, log: 'upstream TLS handshake failed' },
  'connection-reset': { status: 502, log: 'upstream connection reset' },
  'bad-response': { status: 502, log: 'upstream sent an invalid response' },
  'connect-timeout': { status: 504, log: 'upstream timed out' },
  'read-timeout': { status: 504, log: 'upstream timed out' },
  'write-timeout': { status: 504, log: 'upstream timed out' },
  'try-timeout': { status: 504, log: 'upstream timed out' },
  'total-timeout': { status: 504, log: 'upstream timed out' },
  'circuit-open': { status: 503, log: 'circuit open' },
  'no-target': { status: 503, log: 'no healthy target' },
  overloaded: { status: 503, log: 'upstream connections exhausted' },
} as const

export type UpstreamFailure = keyof typeof upstreamFailures

/** One failed attempt. The message is for the error log; clients never see it. */
export class UpstreamError extends Error {
  override readonly name = 'UpstreamError'
  readonly failure: UpstreamFailure
  /** Whether the request cannot have reached the target. */
  readonly nothingSent: boolean

  constructor(failure: UpstreamFailure, reason: string, nothingSent: boolean) {
    super(reason)
    this.failure = failure
    this.nothingSent = nothingSent
  }
}

/** The failure that an error of a socket stands for. */
export function classifySocketError(error: NodeJS.ErrnoException, connected: boolean): UpstreamError {
  const code = error.code ?? error.name
  // With TLS 1.3 a target refuses the gateway's certificate only behind the handshake.
  if (connected && /^ERR_SSL_.*ALERT/.test(code)) return new UpstreamError('tls-failed', code, false)
  if (connected) return new UpstreamError('connection-reset', code, false)
  if (code === 'ECONNREFUSED') return new UpstreamError('connection-refused', code, true)
  if (code === 'ENOTFOUND' || code === 'EAI_AGAIN') return new UpstreamError('name-not-resolved', code, true)
  if (code === 'ETIMEDOUT') return new UpstreamError('connect-timeout', code, true)
  if (code.startsWith('ERR_SSL')) return new UpstreamError('tls-failed', code, true) // its message is for OpenSSL's authors
  if (/^ERR_TLS|CERT|SELF_SIGNED|UNABLE_TO/.test(code))
    return new UpstreamError('tls-failed', `${code}: ${error.message}`, true)
  return new UpstreamError('connection-failed', code, true)
}
