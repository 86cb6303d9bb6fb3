import { cpus, release } from 'node:os'
import type { PeerResult } from './measure.ts'
import type { Spread } from './statistics.ts'
import { type Tools, versionOf } from './tools.ts'

/** All that a run of the benchmark found out; this is what `--json` prints. */
export interface Report {
  readonly machine: Record<'cpu' | 'kernel' | 'node' | 'nginx' | 'wrk', string>
  readonly rounds: number
  readonly secondsPerRound: number
  readonly connections: number
  readonly peers: readonly PeerResult[]
}

export const describeMachine = async (tools: Tools): Promise<Report['machine']> => ({
  cpu: `${cpus().length} × ${cpus()[0]?.model.trim() ?? 'unknown'}`,
  kernel: `${process.platform} ${release()}`,
  node: process.version,
  nginx: (await versionOf(tools.nginx, '-v')).replace(/^.*nginx\//, ''),
  wrk: (await versionOf(tools.wrk, '-v')).replace(/^wrk (\S+).*$/, '$1'),
})

const figures: readonly [keyof Omit<PeerResult, 'name'>, string, (value: number) => string][] = [
  ['cpuPerRequest', 'CPU per request, µs', (value) => value.toFixed(1)],
  ['requestsPerSecond', 'requests per second', (value) => value.toFixed(0)],
  ['p50', 'latency p50, ms', (value) => (value / 1_000).toFixed(2)],
  ['p99', 'latency p99, ms', (value) => (value / 1_000).toFixed(2)],
  ['memory', 'memory, MiB', (value) => (value / 1_048_576).toFixed(0)],
]

const shown = ({ median, min, max }: Spread, format: (value: number) => string) =>
  `${format(median)} (${format(min)}–${format(max)})`

/** A row a figure, a column a peer: median (lowest–highest); then each peer as a multiple of the last one. */
export function resultTable({ peers }: Report): { head: string[]; rows: string[][] } {
  const base = peers.at(-1)!
  const others = peers.slice(0, -1)
  return {
    head: [
      'median (min–max)',
      ...peers.map(({ name }) => name),
      ...others.map(({ name }) => `${name} ÷ ${base.name}`),
    ],
    rows: figures.map(([figure, title, format]) => [
      title,
      ...peers.map((peer) => shown(peer[figure], format)),
      ...others.map((peer) => `${(peer[figure].median / base[figure].median).toFixed(2)} ×`),
    ]),
  }
}

/** The page for docs/benchmarks. */
export function markdown(report: Report): string {
  const { head, rows } = resultTable(report)
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`
  const { cpu, kernel, node, nginx, wrk } = report.machine
  return `# The gateway beside nginx

Made by \`npm run bench -- --write\`: ${report.rounds} rounds of ${report.secondsPerRound} s for each, in turn, on the same core
in the same run; the load and the upstream on another core. ${report.connections} kept connections, HTTP/1.1, a small JSON answer.
Both do the same work: kept connections to the upstream, a request id, X-Forwarded-For, a rate limit an
address (rejecting nothing) and an access log in JSON. One worker each. CPU time is user and system time of all
threads, from /proc.

${[line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n')}

Node.js ${node}, nginx ${nginx}, wrk ${wrk}; ${cpu}; ${kernel}.
`
}
