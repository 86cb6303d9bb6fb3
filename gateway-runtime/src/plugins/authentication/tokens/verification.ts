import type { Consumer } from '../../contract.ts'
import type { Claims } from './claims.ts'

/** Whose token it is. */
export interface KnownClient {
  readonly consumer: Consumer
  readonly claims: Claims
  /** Whether what it was verified by has changed since: then it is not to be remembered. */
  isOutdated?(): boolean
}

/** A token is not valid here. The message says why, for the error log; it holds nothing of the token. */
export class TokenRefused extends Error {
  override readonly name = 'TokenRefused'
}

/** There is nothing to verify a token by: the issuer is out. */
export class VerificationUnavailable extends Error {
  override readonly name = 'VerificationUnavailable'
}
