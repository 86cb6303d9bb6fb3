import { z } from 'zod'

const name = z
  .string()
  .regex(/^[A-Za-z0-9._~-]{1,128}$/, 'expected 1 to 128 letters, digits, ".", "_", "~" or "-"')
const pattern = z
  .string()
  .regex(/^[A-Za-z0-9._~*-]{1,128}$/, 'expected a name, in which * stands for any characters')
const port = z.int().min(1).max(65_535)
const host = z.string().min(1).max(253)
const pem = z.string().min(1).max(1_048_576)

export const adminRoles = ['admin', 'operator', 'viewer'] as const

/** What somebody may do who calls the admin API. */
export type AdminRole = (typeof adminRoles)[number]

const rights = {
  role: z
    .enum(adminRoles)
    .describe(
      'viewer: reads, secrets masked; operator: changes entities, too; admin: everything, such as whole configurations.',
    ),
  tags: z
    .array(name)
    .min(1)
    .max(64)
    .optional()
    .describe('Changes entities with one of these tags only; left out, with names left out too: all.'),
  names: z
    .array(pattern)
    .min(1)
    .max(256)
    .optional()
    .describe('Changes entities with one of these names only, and plugins of these; `team-a-*` for many.'),
}

const subject = z.string().min(1).max(1_024)

/** The admin API: where it listens, and who may do what. */
export const adminSchema = z
  .strictObject({
    host: host.default('127.0.0.1').describe('Address of the port without TLS.'),
    port: port.default(8_001),
    tls_host: host.default('0.0.0.0').describe('Address of the port with TLS.'),
    tls_port: port.optional().describe('Port with TLS, such as 8444; left out, there is none.'),
    certificate: pem
      .optional()
      .describe('PEM file with the certificate chain of tls_port; left out: a self-signed one is made.'),
    key: pem.optional().describe('PEM file with the private key of certificate.'),
    client_ca: pem
      .optional()
      .describe('PEM file with the authorities that certificates of clients on tls_port come from.'),
    clients: z
      .array(
        z.strictObject({
          subject: subject.describe('DNS name, URI or else common name of the certificate.'),
          ...rights,
        }),
      )
      .max(1_024)
      .default([])
      .describe('Who may call with a certificate of client_ca.'),
    tokens: z
      .array(
        z.strictObject({
          name: name.describe('What the audit log calls the caller.'),
          sha256: z
            .string()
            .regex(/^[0-9a-f]{64}$/, 'expected the SHA-256 of a token as 64 hexadecimal digits')
            .describe('Of the token; `gateway-cli token` makes both.'),
          ...rights,
        }),
      )
      .max(1_024)
      .default([])
      .describe('Who may call with a token, beside the one in the state folder, which may do all.'),
    hosts: z
      .array(z.string().regex(/^[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)*$/, 'expected a host name'))
      .max(64)
      .default([])
      .describe('Names that it may be called by, beside IP addresses and localhost.'),
    max_body_bytes: z
      .int()
      .min(1_024)
      .max(268_435_456)
      .default(33_554_432)
      .describe('Largest body of POST /config; other bodies may have 1 MiB.'),
  })
  .refine(({ certificate, key }) => (certificate === undefined) === (key === undefined), {
    message: 'certificate and key go together',
  })
  .refine(({ clients, client_ca }) => clients.length === 0 || client_ca !== undefined, {
    path: ['client_ca'],
    message: 'clients need client_ca',
  })
  .refine(({ tokens }) => new Set(tokens.map((token) => token.name)).size === tokens.length, {
    path: ['tokens'],
    message: 'expected each name of a token once',
  })

export type AdminSettings = z.output<typeof adminSchema>
