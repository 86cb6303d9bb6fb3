import { setTimeout as sleep } from 'node:timers/promises'
import type { GatewayUnderLoad, Metrics } from './gateway-under-load.ts'
import type { Tally } from './tally.ts'

const longestDrain = 10_000
const countersThatStayZero = [
  'config_reloads_total{result="rejected"}',
  'worker_restarts_total',
  'plugin_failures_total',
  'connections_refused_total',
  'proxy_headers_refused_total',
  'tunnels_active',
] as const

const read = (metrics: Metrics, name: string): number => metrics.get(`gatehouse_${name}`) ?? 0

/** Once no client is left: all connections must be gone, and what the gateway counted be what clients have seen. */
export async function checkGateway(gateway: GatewayUnderLoad, tally: Tally): Promise<void> {
  const metrics = await metricsOnceDrained(gateway)
  const open = read(metrics, 'connections_active')
  if (open !== 0)
    tally.fail(`${open} connections of clients are still open ${longestDrain / 1_000} s after the last left`)
  for (const name of countersThatStayZero) {
    const value = read(metrics, name)
    if (value !== 0) tally.fail(`the metric ${name} says ${value}, not 0`)
  }
  checkReloads(metrics, tally)
  checkConnections(metrics, tally)
  checkAnswers(metrics, tally)
  await checkEnd(gateway, metrics, tally)
}

async function metricsOnceDrained(gateway: GatewayUnderLoad): Promise<Metrics> {
  const deadline = performance.now() + longestDrain
  for (;;) {
    const metrics = await gateway.metrics()
    if (read(metrics, 'connections_active') === 0 || performance.now() > deadline) return metrics
    await sleep(50)
  }
}

function checkReloads(metrics: Metrics, tally: Tally): void {
  const accepted = read(metrics, 'config_reloads_total{result="accepted"}') - 1
  if (accepted !== tally.reloads.count)
    tally.fail(`the gateway counts ${accepted} reloads where there were ${tally.reloads.count}`)
}

/** One that is given up at once may not be seen to come. */
function checkConnections(metrics: Metrics, tally: Tally): void {
  const { opened, answered } = tally.connections
  const accepted = read(metrics, 'connections_accepted_total')
  if (accepted < answered || accepted > opened)
    tally.fail(`the gateway counts ${accepted} connections where ${answered} to ${opened} were used`)
  const failed = read(metrics, 'tls_handshake_failures_total')
  if (failed > opened - answered)
    tally.fail(`${failed} TLS handshakes failed, and only ${opened - answered} clients gave up so early`)
}

/** Of the requests that did not end with a complete answer, the gateway may have counted any status or none. */
function checkAnswers(metrics: Metrics, tally: Tally): void {
  let counted = 0
  for (const [name, count] of metrics) {
    const code = /^gatehouse_requests_total\{code="(\d+)"\}$/.exec(name)?.[1]
    if (code === undefined) continue
    counted += count
    if (!tally.answers.has(Number(code)) && code !== '499' && count > tally.incomplete)
      tally.fail(`the gateway counts ${count} answers with status ${code}, of which clients saw none`)
  }
  for (const [status, seen] of tally.answers) {
    const count = read(metrics, `requests_total{code="${status}"}`)
    if (count < seen || count > seen + tally.incomplete)
      tally.fail(`the gateway counts ${count} answers with status ${status}, of which clients saw ${seen}`)
  }
  if (counted > tally.total) tally.fail(`the gateway counts ${counted} requests of ${tally.total}`)
}

/** It ends at once and in order, and has logged every request. */
async function checkEnd(gateway: GatewayUnderLoad, metrics: Metrics, tally: Tally): Promise<void> {
  const { code, signal } = await gateway.process.stop()
  if (code !== 0) tally.fail(`the gateway ended with ${signal ?? `exit code ${code}`}, not in order`)
  let counted = 0
  for (const [name, count] of metrics) if (name.startsWith('gatehouse_requests_total{')) counted += count
  const dropped = read(metrics, 'log_lines_dropped_total{log="access"}')
  const lines = await gateway.accessLogLines()
  if (lines + dropped !== counted)
    tally.fail(`access.log has ${lines} lines (${dropped} more were dropped) for ${counted} requests`)
}
