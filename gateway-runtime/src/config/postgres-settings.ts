import { z } from 'zod'
import { awsRegion } from './aws-region.ts'
import { duration } from './duration.ts'

/** How a node reaches Postgres. Read when the gateway starts. */
export const postgresSchema = z
  .strictObject({
    url: z
      .string()
      .regex(/^postgres(ql)?:\/\/[^\s]+$/, 'expected postgres://user@host/database')
      .describe('Such as `postgres://gateway@10.0.3.5/gateway?sslmode=verify-full`.'),
    password: z
      .string()
      .min(1)
      .max(4_096)
      .optional()
      .describe('Password; best by reference to a file. Never shown or logged.'),
    aws_iam: z
      .strictObject({ region: awsRegion })
      .optional()
      .describe(
        'Shows RDS a token of the IAM role of the node in place of a password; needs sslmode=verify-full.',
      ),
    connect_timeout: duration.default(3_000).describe('Time to connect.'),
    timeout: duration.default(5_000).describe('Time for an answer.'),
  })
  .refine(({ password, aws_iam }) => !(password && aws_iam), {
    path: ['aws_iam'],
    message: 'a password or aws_iam, not both',
  })
  .refine(({ url, aws_iam }) => !aws_iam || isRdsUrl(url), {
    path: ['aws_iam'],
    message:
      'needs a url with a user and sslmode=verify-full, such as postgres://gateway@HOST:5432/gateway?sslmode=verify-full',
  })

function isRdsUrl(text: string): boolean {
  const url = URL.parse(text)
  return !!url?.username && !url.password && url.searchParams.get('sslmode') === 'verify-full'
}

export type PostgresSettings = z.output<typeof postgresSchema>
