import { decodeJwt } from 'jose'
import { z } from 'zod'
import type { Claims } from '../tokens/claims.ts'

/** What an issuer has given for one login. */
export const issuedTokens = z.object({
  accessToken: z.string(),
  /** Says who has logged in; it was verified. */
  idToken: z.string(),
  refreshToken: z.string().optional(),
  /** That the access token is good for. */
  scope: z.string().optional(),
  /** Claims that are not in the ID token. */
  userinfo: z.record(z.string(), z.unknown()).optional(),
  /** Milliseconds of `Date.now()` at which the access token expires; undefined: the issuer does not say. */
  expiresAt: z.number().optional(),
  /** The same, of when it is time to ask for new ones. */
  renewAt: z.number().optional(),
})

export type IssuedTokens = z.output<typeof issuedTokens>

/** All that is known of somebody who has logged in. The browser keeps it, sealed. */
export const sessionSchema = z.object({
  tokens: issuedTokens,
  /** Milliseconds of `Date.now()` at which it is over, whatever the issuer says. */
  endsAt: z.number(),
})

export type Session = z.output<typeof sessionSchema>

/** Who has logged in, as an access token would say it. */
export function claimsOf({ idToken, userinfo, scope }: IssuedTokens): Claims {
  return { ...userinfo, ...decodeJwt(idToken), ...(scope !== undefined && { scope }) }
}

/** A login that was begun; the browser keeps it, sealed, until the issuer sends it back. */
export const begunLogin = z.object({
  state: z.string(),
  nonce: z.string(),
  verifier: z.string(),
  /** Path and query that were asked for. */
  target: z.string(),
})

export type BegunLogin = z.output<typeof begunLogin>
