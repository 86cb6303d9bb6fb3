import { z } from 'zod'
import { duration } from './duration.ts'

/** How a node reaches Postgres. Read when the gateway starts. */
export const postgresSchema = z.strictObject({
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
  connect_timeout: duration.default(3_000).describe('Time to connect.'),
  timeout: duration.default(5_000).describe('Time for an answer.'),
})

export type PostgresSettings = z.output<typeof postgresSchema>
