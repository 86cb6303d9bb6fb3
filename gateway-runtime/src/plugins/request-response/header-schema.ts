import { z } from 'zod'

/** The name of a header field, in lower case. */
export const headerNameSchema = z
  .string()
  .regex(
    /^[a-z0-9][a-z0-9-]{0,127}$/,
    'expected a header name in lower case, with letters, digits and hyphens',
  )

/** The value of a header field: visible ASCII and spaces. */
export const headerValueSchema = z
  .string()
  .max(8_192)
  .regex(/^[\x20-\x7e]*$/, 'expected visible ASCII characters')
