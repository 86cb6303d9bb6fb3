import { hash } from 'node:crypto'
import { z } from 'zod'
import { checkIssued, type StoredCertificate, storedCertificateSchema } from '../stored-certificate.ts'

/** The key that an account at an authority is known by, and its URL as soon as the authority has given one. */
export const accountSchema = z.strictObject({
  key: z.string(),
  url: z.string().optional(),
  /** What takes the place of the key: the authority may know either of them. */
  nextKey: z.string().optional(),
})
export type StoredAccount = z.output<typeof accountSchema>

/** An order that was begun: enough for any node to go on with it. */
export const orderSchema = z.strictObject({
  /** URL of the directory of its authority. */
  authority: z.string(),
  /** Absent until the authority's answer was written down. */
  url: z.string().optional(),
  /** Private key of the certificate, in PEM. */
  key: z.string(),
})
export type StoredOrder = z.output<typeof orderSchema>

/** How far the next certificate of a domain has come. Times are milliseconds since 1970. */
export const progressSchema = z.strictObject({
  /** Failed attempts since the last that succeeded, and what the last one failed with. */
  failures: z.number(),
  lastError: z.string().optional(),
  /** When the next attempt may be made. */
  nextAt: z.number(),
  order: orderSchema.optional(),
})
export type OrderProgress = z.output<typeof progressSchema>

/** Token → key authorization, and server name → what TLS-ALPN-01 is answered with. */
export const challengesSchema = z.strictObject({
  http: z.record(z.string(), z.string()),
  tls: z.record(z.string(), z.strictObject({ certificate: z.string(), key: z.string() })),
})
export type SharedChallenges = z.output<typeof challengesSchema>

/** 48 bytes in base64 that session tickets are encrypted with, and since when. */
export const ticketKeysSchema = z.strictObject({
  keys: z.base64().refine((text) => Buffer.from(text, 'base64').length === 48),
  since: z.number(),
})
export type StoredTicketKeys = z.output<typeof ticketKeysSchema>

const fileName = (domain: string) => domain.replace('*', '_')
const account = (directory: string) => `account-${hash('sha256', directory).slice(0, 32)}`

/** The names that entries have in a store. */
export const entryName = {
  certificate: (domain: string) => `domain-${fileName(domain)}`,
  /** Of an authority outside: it stands beside the one that is ordered for a domain, until that is newer. */
  imported: (domain: string) => `imported-${fileName(domain)}`,
  progress: (domain: string) => `progress-${fileName(domain)}`,
  account,
  challenges: 'challenges',
  ticketKeys: 'ticket-keys',
} as const

function parseCertificate(
  name: string,
  nameOf: (domain: string) => string,
  value: unknown,
): StoredCertificate {
  const certificate = storedCertificateSchema.parse(value)
  checkIssued(certificate)
  if (nameOf(certificate.domain) !== name) throw new Error('it is of another domain')
  return certificate
}

/** What entries hold, by the beginning of their names. Each throws where a text is not that. */
const parsers = {
  domain: (name: string, value: unknown) => parseCertificate(name, entryName.certificate, value),
  imported: (name: string, value: unknown) => parseCertificate(name, entryName.imported, value),
  progress: (_name: string, value: unknown) => progressSchema.parse(value),
  account: (_name: string, value: unknown) => accountSchema.parse(value),
  challenges: (_name: string, value: unknown) => challengesSchema.parse(value),
  ticket: (_name: string, value: unknown) => ticketKeysSchema.parse(value),
}

const kindOf = (name: string) => name.split('-', 1)[0]! as keyof typeof parsers

/** Whether an entry of this name holds a record; others, such as those that were put aside, are left alone. */
export const isRecord = (name: string): boolean => Object.hasOwn(parsers, kindOf(name))

/** Whether an entry of this name holds a certificate. */
export const isCertificate = (name: string): boolean => /^(domain|imported)-/.test(name)

/** Whether an entry of this name says how far an order has come. */
export const isProgress = (name: string): boolean => name.startsWith('progress-')

/** The content of an entry that holds a record. Throws where it is damaged. */
export const parseRecord = (name: string, text: string): unknown =>
  parsers[kindOf(name)](name, JSON.parse(text))
