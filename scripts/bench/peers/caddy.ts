import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { startProgram } from '../../process/program.ts'
import { answers, type Peer, type PeerSetup } from '../peer.ts'
import { routePrefixes } from '../scenarios.ts'
import { versionOf } from '../tools.ts'

/** Caddy of the distribution; pinned to one core, Go runs one thread at a time. */
export const caddy: Peer = {
  name: 'caddy',
  leavesOut: ['rate limit (Caddy has it only as a plugin of others)'],
  version: async (tools) => (await versionOf(tools.caddy!, 'version')).replace(/^v?(\S+).*$/, '$1'),
  cannot: (_, tools) => (tools.caddy ? undefined : 'it is not installed'),
  async start(setup) {
    const { directory, tools, port, scenario } = setup
    const file = join(directory, 'caddy.json')
    await writeFile(file, JSON.stringify(configuration(setup)))
    const [pin, ...args] = setup.pin
    const program = await startProgram({
      name: 'caddy',
      command: [pin, ...args, tools.caddy!, 'run', '--config', file],
      env: { XDG_DATA_HOME: directory, XDG_CONFIG_HOME: directory, HOME: directory },
    })
    return answers(program, { port, secure: scenario.protocol !== 'http', limit: 120_000 })
  },
}

function configuration({ scenario, directory, port, upstreamPort, certificate }: PeerSetup) {
  const secure = scenario.protocol !== 'http'
  const server = {
    listen: [`127.0.0.1:${port}`],
    automatic_https: { disable: true },
    protocols: scenario.protocol === 'h2' ? ['h1', 'h2'] : ['h1'],
    idle_timeout: '600s',
    logs: {},
    routes: [...routing(routePrefixes(scenario)), { handle: [reverseProxy(upstreamPort)] }],
    ...(secure && { tls_connection_policies: [{ protocol_min: 'tls1.3' }] }),
  }
  return {
    admin: { disabled: true, config: { persist: false } },
    logging: {
      logs: {
        default: { level: 'WARN', exclude: ['http.log.access'] },
        access: {
          include: ['http.log.access'],
          writer: { output: 'file', filename: join(directory, 'access.log'), roll: false },
          encoder: { format: 'json' },
        },
      },
    },
    apps: {
      http: { servers: { proxy: server } },
      ...(secure && { tls: { certificates: { load_files: [certificate] } } }),
    },
  }
}

/** X-Forwarded-For is what it adds by itself. */
const reverseProxy = (upstreamPort: number) => ({
  handler: 'reverse_proxy',
  upstreams: [{ dial: `127.0.0.1:${upstreamPort}` }],
  transport: { protocol: 'http', compression: false, keep_alive: { max_idle_conns_per_host: 256 } },
  headers: {
    request: { set: { 'X-Request-Id': ['{http.request.uuid}'] } },
    response: { set: { 'X-Request-Id': ['{http.request.uuid}'] } },
  },
})

/** Of a group only the first route that matches is taken; what it sets stands for a choice. */
const routing = (prefixes: readonly string[]) =>
  prefixes.length === 1
    ? []
    : prefixes.map((prefix, index) => ({
        group: 'routes',
        match: [{ path: [`${prefix}*`] }],
        handle: [{ handler: 'vars', route: index }],
      }))
