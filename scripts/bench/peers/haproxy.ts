import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { startProgram } from '../../process/program.ts'
import { answers, type Peer, type PeerSetup } from '../peer.ts'
import { routePrefixes } from '../scenarios.ts'
import { versionOf } from '../tools.ts'

/** HAProxy of the distribution, with one thread. */
export const haproxy: Peer = {
  name: 'haproxy',
  leavesOut: [],
  version: async (tools) =>
    (await versionOf(tools.haproxy!, '-v')).replace(/^HAProxy version (\S+).*$/, '$1'),
  cannot: (_, tools) => (tools.haproxy ? undefined : 'it is not installed'),
  async start(setup) {
    const { directory, tools, port, scenario } = setup
    const file = join(directory, 'haproxy.cfg')
    await writeFile(file, await configuration(setup))
    // It cannot write a log to a file, only to its output: that is made one.
    const toFile = ['/bin/sh', '-c', 'exec "$@" > "$0"', join(directory, 'access.log')] as const
    const [sh, ...shArguments] = toFile
    const program = await startProgram({
      name: 'haproxy',
      command: [sh, ...shArguments, ...setup.pin, tools.haproxy!, '-db', '-f', file],
    })
    return answers(program, { port, secure: scenario.protocol !== 'http', limit: 60_000 })
  },
}

async function configuration({ scenario, directory, port, upstreamPort, certificate }: PeerSetup) {
  const bind = [`127.0.0.1:${port} backlog 4096`]
  if (scenario.protocol !== 'http') {
    const both = join(directory, 'server.pem')
    const parts = [certificate.certificate, certificate.key].map((path) => readFile(path, 'utf8'))
    await writeFile(both, (await Promise.all(parts)).join('\n'), { mode: 0o600 })
    bind.push(`ssl crt ${both} ssl-min-ver TLSv1.3 alpn ${scenario.protocol === 'h2' ? 'h2' : 'http/1.1'}`)
  }
  return `
global
  nbthread 1
  maxconn ${Math.max(4_096, scenario.connections + 500)}
  no strict-limits
  log stdout format raw local0
defaults
  mode http
  log global
  option http-keep-alive
  option forwardfor
  timeout client 600s
  timeout http-keep-alive 600s
  timeout server 60s
  timeout connect 5s
frontend proxy
  bind ${bind.join(' ')}
  stick-table type ip size 100k expire 10s store http_req_rate(1s)
  http-request track-sc0 src
  http-request deny deny_status 429 if { sc_http_req_rate(0) gt 1000000 }
  http-request set-var(txn.id) uuid()
  http-request set-header X-Request-Id %[var(txn.id)]
  http-request set-header X-Forwarded-Proto ${scenario.protocol === 'http' ? 'http' : 'https'}
  http-response set-header X-Request-Id %[var(txn.id)]
  http-request capture req.hdr(User-Agent) len 128
  log-format '${logFormat}'
  ${await routing(directory, routePrefixes(scenario))}
backend service
  http-reuse always
  server service 127.0.0.1:${upstreamPort}
`
}

const logFormat = JSON.stringify({
  time: '%tr',
  client: '%ci',
  method: '%HM',
  path: '%[capture.req.uri,json(utf8s)]',
  status: '%ST',
  bytes: '%B',
  duration: '%Ta',
  upstream: '%si:%sp',
  upstream_duration: '%Tr',
  request_id: '%[var(txn.id)]',
  agent: '%[capture.req.hdr(0),json(utf8s)]',
})

/** One route needs no search; many are a map of prefixes, which is a tree. */
async function routing(directory: string, prefixes: readonly string[]): Promise<string> {
  if (prefixes.length === 1) return 'default_backend service'
  const file = join(directory, 'routes.map')
  await writeFile(file, prefixes.map((prefix) => `${prefix} service\n`).join(''))
  return `use_backend %[path,map_beg(${file})]`
}
