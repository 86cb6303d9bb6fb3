import { connect, createServer } from 'node:net'
import { readSettings } from './node-settings.ts'

const { port, upstream } = readSettings()
const { hostname, port: upstreamPort } = new URL(upstream)

/** A connection to the upstream for each client; what either says goes to the other, unread. */
createServer({ noDelay: true, allowHalfOpen: true }, (client) => {
  const target = connect({ host: hostname, port: Number(upstreamPort), noDelay: true, allowHalfOpen: true })
  client.pipe(target)
  target.pipe(client)
  client.on('error', () => target.destroy()).on('close', () => target.destroy())
  target.on('error', () => client.destroy()).on('close', () => client.destroy())
}).listen({ host: '127.0.0.1', port, backlog: 4_096 })
