import { z } from 'zod'
import { duration } from './duration.ts'

/** How a node reaches the object store of `store: s3://bucket/key`. Read when the gateway starts. */
export const s3Schema = z.strictObject({
  region: z.string().min(1).max(64).default('us-east-1').describe('Region of the bucket.'),
  endpoint: z
    .url({ protocol: /^https?$/, error: 'expected a URL that begins with http:// or https://' })
    .optional()
    .describe('Of an object store other than AWS, such as http://10.0.3.9:9000; buckets are then paths.'),
  access_key_id: z
    .string()
    .min(1)
    .max(256)
    .optional()
    .describe('Left out: the credentials of the host (instance role, environment, profile).'),
  secret_access_key: z
    .string()
    .min(1)
    .max(1_024)
    .optional()
    .describe('With access_key_id; best by reference to a file. Never shown or logged.'),
  poll_interval: duration
    .refine((time) => time >= 100, 'expected at least 100ms')
    .default(5_000)
    .describe(
      'How often the object is asked for; changes by way of a gateway are announced through Redis at once.',
    ),
  timeout: duration.default(5_000).describe('Time for an answer.'),
})

export type S3Settings = z.output<typeof s3Schema>
