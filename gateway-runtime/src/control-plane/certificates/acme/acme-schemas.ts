import { z } from 'zod'

/* What authorities answer with, as far as it is read (RFC 8555 section 7.1). */

const status = z.enum([
  'pending',
  'processing',
  'ready',
  'valid',
  'invalid',
  'deactivated',
  'expired',
  'revoked',
])
const problem = z.object({ type: z.string().optional(), detail: z.string().optional() })

export const orderReply = z.object({
  status,
  identifiers: z.array(z.object({ type: z.string(), value: z.string() })).max(100),
  authorizations: z.array(z.url()).max(100),
  finalize: z.url(),
  certificate: z.url().optional(),
  error: problem.optional(),
})
export type OrderReply = z.output<typeof orderReply>

export const challengeReply = z.object({
  type: z.string(),
  url: z.url(),
  status,
  token: z
    .string()
    .regex(/^[A-Za-z0-9_-]{1,512}$/)
    .optional(),
  error: problem.optional(),
})

export const authorizationReply = z.object({ status, challenges: z.array(challengeReply).max(100) })
export const accountReply = z.object({ orders: z.url().optional() })
export const ordersReply = z.object({ orders: z.array(z.url()) })
/** RFC 9773 section 4.2 */
export const renewalInfoReply = z.object({
  suggestedWindow: z.object({
    start: z.iso.datetime({ offset: true }),
    end: z.iso.datetime({ offset: true }),
  }),
})
