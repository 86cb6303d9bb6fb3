import { z } from 'zod'

const pem = z.string().min(1).max(1_048_576)

const directory = z
  .string()
  .refine((text) => URL.parse(text)?.protocol === 'https:', 'expected the https:// URL of an ACME directory')

/** A certificate authority that speaks ACME (RFC 8555). */
const authoritySchema = z.strictObject({
  directory: directory.describe('URL of its directory.'),
  email: z.email().optional().describe('Whom it may write to; not all of them need it.'),
  external_account_binding: z
    .strictObject({
      key_id: z.string().min(1).max(1_024),
      hmac_key: z
        .string()
        .regex(/^[A-Za-z0-9_-]{16,1024}$/, 'expected base64url, as the authority gives it')
        .describe('Best by a reference to a file or variable. Never shown or logged.'),
    })
    .optional()
    .describe('Ties the account to one that the authority knows (RFC 8555 section 7.3.4).'),
  profile: z
    .string()
    .regex(/^[\w.-]{1,64}$/, 'expected the name of a profile')
    .optional()
    .describe('Kind of certificate that it is asked for, such as shortlived.'),
  ca: pem
    .optional()
    .describe(
      'PEM file with the authorities that its own server is checked by, in place of the public ones.',
    ),
})

/** Certificates that the gateway orders and renews itself. */
export const acmeSchema = z.strictObject({
  authorities: z
    .array(authoritySchema)
    .min(1)
    .max(8)
    .refine((all) => new Set(all.map((one) => one.directory)).size === all.length, 'expected each once')
    .describe('Asked in this order: the next where one fails or takes no more.'),
  terms_of_service_agreed: z
    .literal(true, 'expected true: no authority issues without its terms of service being agreed to')
    .describe('That you agree to the terms of service of all of them.'),
  key_type: z
    .enum(['ecdsa-p256', 'ecdsa-p384', 'rsa-2048', 'rsa-4096'])
    .default('ecdsa-p256')
    .describe('Kind of the private keys; each certificate gets a new one.'),
  route_hosts: z
    .boolean()
    .default(true)
    .describe('Whether the hosts of routes get certificates, where none of certificates is for them.'),
  domains: z
    .array(
      z
        .string()
        .max(253)
        .regex(
          /^([A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)+[A-Za-z][A-Za-z0-9-]*$/,
          'expected a host name',
        ),
    )
    .max(1_000)
    .default([])
    .describe('More host names that get certificates.'),
  on_missing: z
    .enum(['refuse', 'self-signed'])
    .default('refuse')
    .describe('What https clients of a host are shown until its first certificate is there.'),
})

export type AcmeSettings = z.output<typeof acmeSchema>
export type AcmeAuthoritySettings = AcmeSettings['authorities'][number]
