import { z } from 'zod'
import { duration } from './duration.ts'

/** `204`, or `200-399` with both ends; inside its two ends. */
const statusRange = z
  .union([z.number(), z.string()])
  .transform((text, context) => {
    const match = /^([1-5]\d\d)(?:-([1-5]\d\d))?$/.exec(String(text))
    const from = Number(match?.[1])
    const to = Number(match?.[2] ?? match?.[1])
    if (from <= to) return { from, to }
    context.addIssue({ code: 'custom', message: 'expected a status such as 204, or a range such as 200-399' })
    return z.NEVER
  })
  .meta({ type: ['integer', 'string'], examples: [204, '200-399'] })

const kinds = ['http', 'https', 'tcp', 'grpc', 'grpcs'] as const
const isHttp = (type: string) => type === 'http' || type === 'https'
const isGrpc = (type: string) => type === 'grpc' || type === 'grpcs'

/** How the gateway asks each target, by itself and at times, how it is. */
const activeChecksSchema = z
  .strictObject({
    type: z
      .enum(kinds)
      .default('http')
      .describe('http and https: GET; tcp: a connection; grpc and grpcs: grpc.health.v1.Health/Check.'),
    path: z
      .string()
      .regex(/^\/[\x21\x22\x24-\x7e]*$/, 'expected a path such as /healthz')
      .max(4_096)
      .optional()
      .describe('With http and https, what is asked for; /.'),
    host: z
      .string()
      .regex(/^([A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(:\d{1,5})?$/, 'expected a host, such as a.example:8080')
      .optional()
      .describe('Host, and with TLS the server name, that targets are asked under; their own address.'),
    expected_statuses: z
      .array(statusRange)
      .min(1)
      .max(64)
      .optional()
      .describe('With http and https, the answers of a target that is well; 200-399.'),
    service: z
      .string()
      .max(256)
      .optional()
      .describe('With grpc and grpcs, the service that is asked for; the server as a whole.'),
    tls_verify: z
      .boolean()
      .optional()
      .describe('With https and grpcs, whether the certificate is verified; true.'),
    interval: duration.default(5_000).describe('Time between two checks of one target.'),
    timeout: duration.default(2_000).describe('Time for a check, from the connection to the end.'),
    unhealthy_after: z
      .int()
      .min(1)
      .max(1_000)
      .default(3)
      .describe('Failures in a row after which a target gets no requests.'),
    healthy_after: z
      .int()
      .min(1)
      .max(1_000)
      .default(2)
      .describe('Successes in a row after which it gets requests again.'),
  })
  .refine(({ type, path }) => isHttp(type) || path === undefined, {
    path: ['path'],
    message: 'path goes with type: http or https',
  })
  .refine(({ type, expected_statuses }) => isHttp(type) || expected_statuses === undefined, {
    path: ['expected_statuses'],
    message: 'expected_statuses goes with type: http or https',
  })
  .refine(({ type, service }) => isGrpc(type) || service === undefined, {
    path: ['service'],
    message: 'service goes with type: grpc or grpcs',
  })
  .refine(({ type, tls_verify }) => type === 'https' || type === 'grpcs' || tls_verify === undefined, {
    path: ['tls_verify'],
    message: 'tls_verify goes with type: https or grpcs',
  })
  .refine(({ type, host }) => type !== 'tcp' || host === undefined, {
    path: ['host'],
    message: 'host does not go with type: tcp, which sends nothing',
  })

/** When a target is left alone for a while because of how it answers requests. */
const passiveChecksSchema = z.strictObject({
  failure_percent: z
    .number()
    .min(1)
    .max(100)
    .default(50)
    .describe(
      'Percent of failed requests from which a target is ejected: no connection, no answer, 502 to 504.',
    ),
  window: duration.default(30_000).describe('The time that is looked back on.'),
  minimum_requests: z
    .int()
    .min(1)
    .max(1_000_000)
    .default(20)
    .describe('Requests in that time without which nothing is concluded.'),
  ejection_time: duration
    .default(30_000)
    .describe(
      'How long a target is left alone the first time; twice as long the second time in a row, up to ten times.',
    ),
  max_ejected_percent: z
    .number()
    .min(1)
    .max(100)
    .default(50)
    .describe('Percent of the targets of the upstream that may be ejected at once.'),
})

/** Whether the gateway finds out how targets are, and what follows. */
export const healthChecksSchema = z.strictObject({
  panic_threshold: z
    .number()
    .min(0)
    .max(100)
    .default(50)
    .describe('Percent: where fewer targets than that are healthy, health is ignored; 0 for never.'),
  active: activeChecksSchema.optional().describe('Checks that the gateway makes by itself; none.'),
  passive: passiveChecksSchema.optional().describe('Conclusions from how requests end; none.'),
})

export type HealthChecks = z.output<typeof healthChecksSchema>
