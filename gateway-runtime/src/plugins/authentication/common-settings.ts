import { z } from 'zod'

/** Settings that authentication plugins have in common. */
export const commonSettings = {
  hide_credentials: z
    .boolean()
    .default(true)
    .describe('Whether what the client has shown is kept from the service.'),
  anonymous: z
    .boolean()
    .default(false)
    .describe(
      'Whether requests that show nothing pass, with no consumer, so that another plugin may know the client. What is shown and wrong never passes.',
    ),
}
