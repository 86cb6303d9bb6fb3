import { z } from 'zod'
import { duration } from './duration.ts'

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

/** Where the records for dns-01 are made. */
const dnsProviderSchema = z.discriminatedUnion('provider', [
  z.strictObject({
    provider: z
      .literal('rfc2136')
      .describe('A DNS server that takes dynamic updates (RFC 2136), such as BIND or Knot.'),
    server: z
      .string()
      .regex(/^(\[[0-9A-Fa-f:]+\]|[A-Za-z0-9._-]+)(:\d{1,5})?$/, 'expected host:port, such as 10.0.0.2:53')
      .describe('The primary of the zone; port 53 where it is left out.'),
    zone: z
      .string()
      .regex(/^([A-Za-z0-9_-]+\.)+[A-Za-z0-9-]+\.?$/, 'expected the name of a zone, such as example.com')
      .describe('The zone that records are made in.'),
    key_name: z.string().min(1).max(253).describe('Name of the TSIG key (RFC 8945).'),
    key_algorithm: z.enum(['hmac-sha256', 'hmac-sha384', 'hmac-sha512']).default('hmac-sha256'),
    key_secret: z
      .base64()
      .min(16)
      .max(1_024)
      .describe('The TSIG key in base64; best by a reference to a file or variable. Never shown or logged.'),
    propagation_wait: duration
      .refine((time) => time <= 600_000, 'expected at most 10m')
      .default(3_000)
      .describe('Time that the other servers of the zone get to take up a record.'),
  }),
  z.strictObject({
    provider: z.literal('route53').describe('Amazon Route 53, with the credentials of the node.'),
    hosted_zone_id: z
      .string()
      .regex(/^[A-Z0-9]{1,32}$/, 'expected the id of a hosted zone, such as Z0123456789ABCDEFGHIJ'),
    region: z.string().min(1).max(64).default('us-east-1').describe('Region that requests are signed for.'),
    endpoint: z.url().optional().describe('Another endpoint of the service, such as one within the VPC.'),
  }),
])
export type DnsProviderSettings = z.output<typeof dnsProviderSchema>

/** Certificates that the gateway orders and renews itself. */
export const acmeSchema = z
  .strictObject({
    authorities: z
      .array(authoritySchema)
      .min(1)
      .max(8)
      .refine((all) => new Set(all.map((one) => one.directory)).size === all.length, 'expected each once')
      .describe(
        'Asked in this order: the next where one fails or takes no more. Certificates of one that is taken out, such as one for trials, are replaced by the others.',
      ),
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
      .describe(
        'Whether the hosts of routes get certificates, where none of certificates, no imported one and no wildcard that is ordered is for them.',
      ),
    domains: z
      .array(
        z
          .string()
          .max(253)
          .regex(
            /^(\*\.)?([A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)+[A-Za-z][A-Za-z0-9-]*$/,
            'expected a host name, or *. and one; an international one in its ASCII form, xn--',
          ),
      )
      .max(1_000)
      .default([])
      .describe('More host names that get certificates.'),
    challenge: z
      .enum(['http-01', 'tls-alpn-01', 'dns-01'])
      .default('http-01')
      .describe(
        'How domains are proven: over port 80, over port 443, or by a record in the DNS; wildcards always by the last.',
      ),
    dns: dnsProviderSchema
      .optional()
      .describe(
        'How records are made for dns-01. Where _acme-challenge of a domain is a CNAME, the record is made where it leads to.',
      ),
    preflight: z
      .boolean()
      .default(true)
      .describe(
        'Whether DNS and CAA records are looked at before an order, so that a mistake costs no attempt at an authority.',
      ),
    on_missing: z
      .enum(['refuse', 'self-signed'])
      .default('refuse')
      .describe('What https clients of a host are shown until its first certificate is there.'),
  })
  .refine(
    ({ challenge, dns, domains }) =>
      dns !== undefined || (challenge !== 'dns-01' && !domains.some((domain) => domain.startsWith('*.'))),
    { path: ['dns'], message: 'dns-01 and wildcards need dns, which says how records are made' },
  )

export type AcmeSettings = z.output<typeof acmeSchema>
export type AcmeAuthoritySettings = AcmeSettings['authorities'][number]
