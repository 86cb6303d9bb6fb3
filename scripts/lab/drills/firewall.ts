import { doOnHost } from '../host.ts'
import type { HostRecord } from '../record.ts'
import type { Fault } from './fault.ts'

/** Rules of iptables, without `-I`, that a host gets before all others. */
async function drop(host: HostRecord, rules: readonly string[]): Promise<Fault> {
  const all = (action: '-I' | '-D') => rules.map((rule) => `iptables -w ${action} ${rule} -j DROP`).join('\n')
  await doOnHost(host, `set -e\n${all('-I')}`)
  return { undo: async () => void (await doOnHost(host, all('-D'))) }
}

/** Cuts the gateway of a host off from all servers of Redis; those still reach each other. */
export const cutFromRedis = (host: HostRecord) =>
  drop(host, ['OUTPUT -p tcp --dport 6379:6380 -m owner --uid-owner gateway'])

/** Cuts an edge off from the other edges, which take it for dead; it lives, and clients reach it. */
export const cutFromEdges = (host: HostRecord) => drop(host, ['INPUT -p vrrp', 'OUTPUT -p vrrp'])

/** Drops all that two hosts send each other. */
export const cutApart = (host: HostRecord, other: HostRecord) =>
  drop(host, [`INPUT -s ${other.address}`, `OUTPUT -d ${other.address}`])
