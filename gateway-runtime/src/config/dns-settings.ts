import { isIP, isIPv6 } from 'node:net'
import { z } from 'zod'
import { duration } from './duration.ts'

/** `ip`, or `ip:port` with IPv6 in brackets. */
const server = z.string().refine((text) => {
  const [, bracketed, plain, port] = /^(?:\[([^\]]+)\]|([^[\]]+?))(?::(\d{1,5}))?$/.exec(text) ?? []
  const isAddress = bracketed === undefined ? isIP(plain ?? '') === 4 : isIPv6(bracketed)
  return isIPv6(text) || (isAddress && (port === undefined || (Number(port) > 0 && Number(port) <= 65_535)))
}, 'expected the address of a DNS server, such as 10.0.0.2, 10.0.0.2:53 or [fd00::2]:53')

const timeToLive = duration.refine(
  (milliseconds) => milliseconds >= 1_000 && milliseconds <= 86_400_000,
  'expected a time from 1s to 1d',
)

/** How names of targets become addresses. */
export const dnsSchema = z
  .strictObject({
    servers: z
      .array(server)
      .max(8)
      .default([])
      .describe("DNS servers, asked in this order; none: the system's, with its search list."),
    min_ttl: timeToLive
      .default(1_000)
      .describe('A name is asked for again after its TTL, but not sooner than this.'),
    max_ttl: timeToLive.default(300_000).describe('… nor later than this.'),
    timeout: duration.default(2_000).describe('Time for an answer from any of the servers.'),
    family: z
      .enum(['any', 'ipv4', 'ipv6'])
      .default('any')
      .describe('Which addresses of a name are used; any: IPv6 before IPv4.'),
  })
  .refine(({ min_ttl, max_ttl }) => min_ttl <= max_ttl, {
    path: ['min_ttl'],
    message: 'expected no more than max_ttl',
  })

export type Dns = z.output<typeof dnsSchema>
