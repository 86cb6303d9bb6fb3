import { z } from '../../config/index.ts'

/** A request that somebody asks about. */
export const askedRequest = z.strictObject({
  method: z.string(),
  url: z.string(),
  headers: z.record(z.string(), z.string()).default({}),
})
