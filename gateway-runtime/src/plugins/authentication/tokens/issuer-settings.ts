import { z } from 'zod'
import { duration } from '../../../config/duration.ts'

/** What comes in clear can be changed on the way, keys too; on one machine nobody is between. */
const isSafe = ({ protocol, hostname }: URL): boolean =>
  protocol === 'https:' || (protocol === 'http:' && /^(localhost|127\.\d+\.\d+\.\d+|\[::1\])$/.test(hostname))

/** Where an issuer is asked. */
export const issuerUrl = z
  .string()
  .max(2_048)
  .refine((text) => {
    const url = URL.parse(text)
    return url !== null && isSafe(url) && !url.username && !url.hash
  }, 'expected a URL with https://, or with http:// on this machine')

/** How the servers of an issuer are asked. */
export const fetchSettings = {
  refresh: duration
    .refine((time) => time >= 1_000, 'expected at least 1s')
    .default(300_000)
    .describe('Time after which the keys of the issuer are fetched anew.'),
  refresh_interval_min: duration
    .default(30_000)
    .describe('Least time between two fetches, also when tokens name keys that are not known.'),
  timeout: duration
    .refine((time) => time <= 9_000, 'expected at most 9s')
    .default(5_000)
    .describe('Time for the issuer to answer.'),
  ca: z
    .string()
    .max(1_048_576)
    .refine((text) => text.includes('-----BEGIN CERTIFICATE-----'), 'expected certificates as PEM text')
    .optional()
    .describe(
      'PEM text of the authorities that the certificate of the issuer comes from, best as a reference to a file; those of Node.js otherwise.',
    ),
}
