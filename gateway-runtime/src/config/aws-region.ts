import { z } from 'zod'

/** Where a service of AWS stands. */
export const awsRegion = z
  .string()
  .regex(/^[a-z]{2,3}(-[a-z]+)+-\d$/, 'expected a region such as eu-central-1')
  .optional()
  .describe('Region; that of AWS_REGION.')
