import { z } from 'zod'
import { type ClientCertificate, defineCredentials, definePlugin, type ProblemReply } from '../contract.ts'
import { commonSettings } from './common-settings.ts'

const missing: ProblemReply = {
  status: 401,
  code: 'no-certificate',
  detail: 'This needs a client certificate.',
}
const unknown: ProblemReply = {
  status: 401,
  code: 'unknown-certificate',
  detail: 'The certificate is of nobody who is known here.',
}

const kinds = ['fingerprint', 'san', 'subject'] as const

const credential = z
  .strictObject({
    fingerprint: z
      .string()
      .transform((text) => text.replaceAll(':', '').toLowerCase())
      .refine((text) => /^[0-9a-f]{64}$/.test(text), 'expected a SHA-256: 64 hexadecimal digits')
      .optional()
      .describe('SHA-256 of the certificate, as `openssl x509 -noout -fingerprint -sha256` shows it.'),
    san: z
      .string()
      .regex(/^(DNS|URI):[\x21-\x7e]{1,1024}$/, 'expected DNS:NAME or URI:NAME')
      .optional()
      .describe('An alternative name: DNS:orders.example.com, URI:spiffe://example.com/orders'),
    subject: z
      .string()
      .regex(/^[\x20-\x7e]{1,2048}$/, 'expected a distinguished name in ASCII')
      .optional()
      .describe(
        'The distinguished name as RFC 4514 writes it: CN=orders,O=Example. The error log shows those that are refused.',
      ),
  })
  .refine((given) => kinds.filter((kind) => given[kind] !== undefined).length === 1, {
    message: 'a credential has one of fingerprint, san or subject',
  })

const keyOf = (kind: (typeof kinds)[number], text: string): string =>
  // Names of hosts are the same in upper and lower case.
  `${kind} ${/^DNS:/.test(text) && kind === 'san' ? text.toLowerCase() : text}`

/** All that a certificate may be known by, in the order of kinds. */
function keysOf({ fingerprint, names, subject }: ClientCertificate, by: readonly string[]): string[] {
  const keys = {
    fingerprint: [keyOf('fingerprint', fingerprint)],
    san: names.map((name) => keyOf('san', name)),
    subject: [keyOf('subject', subject)],
  }
  return kinds.filter((kind) => by.includes(kind)).flatMap((kind) => keys[kind])
}

/** Knows consumers by client certificates, which the listener has verified. */
export const mtlsAuth = definePlugin({
  name: 'mtls-auth',
  order: 1600,
  description:
    'Lets in those who show the client certificate of a consumer, on listeners that ask for certificates; answers 401 to others.',
  config: z.strictObject({
    by: z
      .array(z.enum(kinds))
      .min(1)
      .default([...kinds])
      .describe(
        'What consumers are known by: the fingerprint first, then alternative names, then the subject.',
      ),
    anonymous: commonSettings.anonymous,
  }),
  examples: [{ by: ['san'] }],
  credentials: defineCredentials({
    schema: credential,
    key: (given) => {
      const kind = kinds.find((kind) => given[kind] !== undefined)!
      return keyOf(kind, given[kind]!)
    },
  }),
  counters: { refused: 'Requests without a certificate of somebody who is known.' },
  create({ by, anonymous }, gateway) {
    // A connection has one certificate for all its requests.
    const keys = new WeakMap<ClientCertificate, readonly string[]>()
    const known = (certificate: ClientCertificate) => {
      const made = keys.get(certificate) ?? keysOf(certificate, by)
      keys.set(certificate, made)
      for (const key of made) {
        const credential = gateway.credentials.get(key)
        if (credential) return credential.consumer
      }
      return undefined
    }
    return {
      onRequest(exchange) {
        if (exchange.consumer) return undefined
        const { clientCertificate: certificate, routeName, requestId } = exchange
        if (!certificate && anonymous) return undefined
        const consumer = certificate && known(certificate)
        if (consumer) {
          exchange.authenticate(consumer)
          return undefined
        }
        gateway.count('refused')
        if (!certificate) return missing
        const { subject, fingerprint } = certificate
        const fields = { subject, fingerprint, route: routeName, request_id: requestId }
        gateway.log('warn', 'certificate refused', fields)
        return unknown
      },
    }
  },
})
