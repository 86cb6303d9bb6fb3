import { runOnHost } from '../lab/host.ts'
import type { HostRecord } from '../lab/record.ts'

export interface HostLog {
  readonly host: string
  readonly text: string
}

const before = 5
const after = 10
const mostLines = 60
const units = ['gateway-service', 'keepalived', 'haproxy', "'redis-server@*'"]

/**
 * What the services of hosts have written around a time, in milliseconds since 1970; of a host that is down, that it is.
 */
export function logsAround(hosts: readonly HostRecord[], at: number): Promise<HostLog[]> {
  const second = Math.floor(at / 1_000)
  const range = `--since=@${second - before} --until=@${second + after}`
  const script = `journalctl --no-pager -q -o short-precise ${units.map((unit) => `-u ${unit}`).join(' ')} ${range} | tail -n ${mostLines}`
  return Promise.all(
    hosts.map(async (host) => ({ host: host.name, text: (await runOnHost(host, script)).output.trimEnd() })),
  )
}
