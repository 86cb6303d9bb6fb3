import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { startProgram } from '../../process/program.ts'
import { root } from '../../process/tool.ts'
import { answers, type Peer } from '../peer.ts'
import type { Scenario } from '../scenarios.ts'
import type { NodeProxySettings } from './node-settings.ts'

interface NodeProxy {
  readonly name: string
  /** Named in the report by its version; undefined: it has nothing but Node.js. */
  readonly package?: string
  readonly server: string
  readonly leavesOut: readonly string[]
  readonly cannot: (scenario: Scenario) => string | undefined
}

const noLimit = 'rate limit'
const noLog = 'access log'

/** A proxy library for Node.js, in a process of its own on the same Node.js as the gateway. */
const nodeProxy = ({ name, package: packageName, server, leavesOut, cannot }: NodeProxy): Peer => ({
  name,
  leavesOut,
  cannot,
  async version() {
    const platform = `Node.js ${process.version.slice(1)}`
    if (packageName === undefined) return platform
    const text = await readFile(join(root, 'node_modules', packageName, 'package.json'), 'utf8')
    return `${(JSON.parse(text) as { version: string }).version} on ${platform}`
  },
  async start({ scenario, pin, directory, port, upstreamPort, certificate }) {
    const settings: NodeProxySettings = {
      port,
      upstream: `http://127.0.0.1:${upstreamPort}`,
      accessLog: join(directory, 'access.log'),
      protocol: scenario.protocol,
      certificate,
      routes: scenario.routes,
    }
    const [file, ...args] = pin
    const script = join(import.meta.dirname, server)
    const program = await startProgram({
      name,
      command: [file, ...args, process.execPath, '--no-deprecation', script, JSON.stringify(settings)],
      env: { NODE_ENV: 'production' },
    })
    return answers(program, { port, secure: scenario.protocol !== 'http', limit: 120_000 })
  },
})

/** Fastify with its own proxy plugin, on undici. Its logger writes two lines for a request. */
export const fastify = nodeProxy({
  name: 'fastify',
  package: '@fastify/http-proxy',
  server: 'fastify-server.ts',
  leavesOut: [noLimit],
  cannot: () => undefined,
})

/**
 * No proxy of HTTP: passes on what comes without reading it. What it costs, anything on Node.js costs; the rest is the
 * proxy's own.
 */
export const sockets = nodeProxy({
  name: 'sockets',
  server: 'sockets-server.ts',
  leavesOut: ['HTTP', 'request id', 'X-Forwarded-For', noLimit, noLog],
  cannot: ({ protocol, routes }) => {
    if (protocol !== 'http') return 'it passes on what it is sent, in clear'
    return routes > 1 ? 'it has no routes' : undefined
  },
})

const withoutHttp2 = ({ protocol }: Scenario) =>
  protocol === 'h2' ? 'its server here is node:https, which speaks HTTP/1.1' : undefined

export const httpProxy3 = nodeProxy({
  name: 'http-proxy-3',
  package: 'http-proxy-3',
  server: 'http-proxy-3-server.ts',
  leavesOut: [noLimit, noLog],
  cannot: (scenario) => withoutHttp2(scenario) ?? (scenario.routes > 1 ? 'it has no routes' : undefined),
})

export const httpProxyMiddleware = nodeProxy({
  name: 'http-proxy-middleware',
  package: 'http-proxy-middleware',
  server: 'http-proxy-middleware-server.ts',
  leavesOut: [noLimit, noLog],
  cannot: withoutHttp2,
})
