import { z } from 'zod'
import { duration } from './duration.ts'

const pem = z.string().min(1).max(1_048_576)

/** Where the logs of a node are sent to, besides their files. */
export const logExportSchema = z
  .strictObject({
    protocol: z
      .enum(['udp', 'tcp', 'tls', 'otlp'])
      .default('tcp')
      .describe('udp may lose lines unnoticed; otlp: OTLP/HTTP with JSON.'),
    host: z.string().min(1).max(253).optional().describe('The collector, for udp, tcp and tls.'),
    port: z.int().min(1).max(65_535).default(9_542).describe('With host.'),
    url: z
      .url({ protocol: /^https?$/, error: 'expected a URL that begins with http:// or https://' })
      .optional()
      .describe('The collector, for otlp, with the path: http://10.0.9.5:4318/v1/logs.'),
    headers: z
      .record(z.string().regex(/^[A-Za-z0-9-]+$/, 'expected a header name'), z.string().max(8_192))
      .default({})
      .describe('More headers for otlp, such as authorization; secrets come in by reference.'),
    format: z
      .enum(['json', 'syslog'])
      .default('json')
      .describe('A line of JSON, or a message of RFC 5424 with it (counted by octets over tcp and tls).'),
    logs: z
      .array(z.enum(['access', 'error']))
      .min(1)
      .max(2)
      .default(['access', 'error']),
    ca: pem
      .optional()
      .describe('PEM file with the authorities of the collector for tls, in place of the public ones.'),
    queue_bytes: z
      .int()
      .min(65_536)
      .max(2 ** 40)
      .default(2 ** 30)
      .describe(
        'Bytes of each log, in its files, that may wait for the collector; past them the oldest are lost.',
      ),
    batch_lines: z.int().min(1).max(10_000).default(500).describe('Lines that are sent at once.'),
    interval: duration
      .refine((time) => time >= 10 && time <= 60_000, 'expected 10ms to 60s')
      .default(250)
      .describe('How often the files are looked at.'),
    timeout: duration
      .refine((time) => time >= 100 && time <= 60_000, 'expected 100ms to 60s')
      .default(10_000)
      .describe('Time to connect, and for a batch to be taken.'),
  })
  .refine(({ protocol, host, url }) => (protocol === 'otlp' ? url && !host : host && !url), {
    message: 'otlp goes with url; udp, tcp and tls with host',
  })
  .refine(({ protocol, ca }) => ca === undefined || protocol === 'tls', {
    path: ['ca'],
    message: 'ca goes with protocol: tls',
  })

export type LogExport = z.output<typeof logExportSchema>
