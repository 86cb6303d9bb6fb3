import type { FastifyInstance, FastifyRequest } from 'fastify'
import { z } from '../../config/index.ts'
import { validate } from '../../config/schema-problems.ts'
import type { CertificateAdministration } from '../certificates/certificate-administration.ts'
import type { CertificateState } from '../certificates/certificate-state.ts'
import { objectOf } from './entities.ts'
import { RequestRefused } from './problem.ts'

const domain = z.string().min(1).max(253).toLowerCase()
export const orderSchema = z.strictObject({
  domains: z.array(domain).min(1).max(1_000).optional(),
  /** Whether also those are ordered that there are certificates for. */
  anew: z.boolean().default(false),
})
export const revocationSchema = z.strictObject({ domain, reason: z.int().min(0).max(10).default(0) })
export const importSchema = z.strictObject({
  certificate: z.string().max(524_288),
  key: z.string().max(65_536),
})
export const keyChangeSchema = z.strictObject({ authority: z.url() })

/** What is said of a certificate that the gateway orders or that was imported. */
export const describeCertificate = ({ domain, authority, ...state }: CertificateState) => ({
  domain,
  authority: authority ?? null,
  issued_at: dateOf(state.issuedAt),
  expires_at: dateOf(state.expiresAt),
  next_order_at: dateOf(state.dueAt),
  failures: state.failures,
  error: state.lastError ?? null,
})

const dateOf = (time: number | undefined) =>
  time === undefined || !Number.isFinite(time) ? null : new Date(time).toISOString()

/**
 * Certificates that the gateway orders and keeps itself: GET /acme/certificates, POST /acme/orders `{domains, anew}`,
 * /acme/revocations `{domain, reason}`, /acme/imports `{certificate, key}`, /acme/account-keys `{authority}`.
 * `open`: loads what does it, where it is not loaded yet.
 */
export function addCertificateResources(
  api: FastifyInstance,
  open: () => Promise<CertificateAdministration>,
): void {
  api.get('/acme/certificates', async () => ({
    data: (await open()).states.map(describeCertificate),
    next: null,
  }))
  api.post('/acme/orders', { config: { role: 'operator' } }, async (request, reply) => {
    const { anew, domains } = parse(orderSchema, request)
    const certificates = await open()
    reply.code(202)
    return { ordered: await attempt(async () => certificates.order(domains, anew)) }
  })
  api.post('/acme/revocations', { config: { role: 'admin' } }, async (request, reply) => {
    const { domain, reason } = parse(revocationSchema, request)
    const certificates = await open()
    await attempt(() => certificates.revoke(domain, reason))
    reply.code(204)
  })
  api.post('/acme/imports', { config: { role: 'admin' } }, async (request, reply) => {
    const { certificate, key } = parse(importSchema, request)
    const certificates = await open()
    reply.code(201)
    return attempt(() => certificates.import(certificate, key))
  })
  api.post('/acme/account-keys', { config: { role: 'admin' } }, async (request, reply) => {
    const { authority } = parse(keyChangeSchema, request)
    const certificates = await open()
    await attempt(() => certificates.rollOverKey(authority))
    reply.code(204)
  })
}

function parse<Schema extends z.ZodType>(schema: Schema, { body }: FastifyRequest): z.output<Schema> {
  const asked = validate(schema, objectOf(body))
  if (asked.success) return asked.data
  const reasons = asked.problems.map(({ path, message }) => [...path, message].join(': '))
  throw new RequestRefused(400, 'malformed-request', reasons.join('\n'))
}

/** What authorities and stores say is for the operator to read. */
async function attempt<Result>(act: () => Promise<Result>): Promise<Result> {
  try {
    return await act()
  } catch (error) {
    throw new RequestRefused(409, 'certificate-refused', (error as Error).message)
  }
}
