import { hostname } from 'node:os'
import { z } from 'zod'
import { defineLogPlugin } from './log-plugin.ts'
import { DatagramSink } from './sinks/datagram-sink.ts'
import { SocketSink } from './sinks/socket-sink.ts'

const place = {
  host: z.string().min(1).max(253),
  port: z.int().min(1).max(65_535).default(9_542),
}
const connection = {
  tls: z.boolean().default(false),
  timeout: z.int().min(100).max(60_000).default(10_000).describe('Milliseconds to connect, and to send.'),
}
const withLineEnd = (line: string) => `${line}\n`

export const tcpLog = defineLogPlugin({
  name: 'tcp-log',
  order: 7,
  description: 'Sends a line of JSON for each request over TCP or TLS.',
  shape: { ...place, ...connection },
  examples: [{ host: 'logs.example.com', tls: true }],
  open: (target) => new SocketSink(target, withLineEnd),
})

export const udpLog = defineLogPlugin({
  name: 'udp-log',
  order: 8,
  description: 'Sends a datagram of JSON for each request.',
  shape: place,
  examples: [{ host: '10.0.9.5' }],
  open: (target) => new DatagramSink(target, (line) => line),
})

const facilities = ['local0', 'local1', 'local2', 'local3', 'local4', 'local5', 'local6', 'local7'] as const
const informational = 6

/** RFC 5424; over TCP and TLS each message begins with its length (RFC 6587 section 3.4.1, RFC 5425 section 4.3). */
export const syslog = defineLogPlugin({
  name: 'syslog',
  order: 6,
  description: 'Sends a syslog message (RFC 5424) with JSON for each request, over UDP, TCP or TLS.',
  shape: {
    ...place,
    port: z.int().min(1).max(65_535).default(514),
    protocol: z.enum(['udp', 'tcp', 'tls']).default('udp'),
    facility: z.enum(facilities).default('local0'),
    timeout: connection.timeout,
  },
  examples: [{ host: 'syslog.example.com', protocol: 'tls', port: 6_514 }],
  open({ host, port, protocol, facility, timeout }) {
    const priority = (16 + facilities.indexOf(facility)) * 8 + informational
    const message = (line: string) =>
      `<${priority}>1 ${new Date().toISOString()} ${hostname()} gateway ${process.pid} access - ${line}`
    if (protocol === 'udp') return new DatagramSink({ host, port }, message)
    const counted = (line: string) => {
      const text = message(line)
      return `${Buffer.byteLength(text)} ${text}`
    }
    return new SocketSink({ host, port, tls: protocol === 'tls', timeout }, counted)
  },
})
