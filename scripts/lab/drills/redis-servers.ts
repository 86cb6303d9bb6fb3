import { doOnHost, runOnHost } from '../host.ts'
import type { HostRecord } from '../record.ts'
import type { Fault } from './fault.ts'

/** A server of the Redis Cluster, as the cluster sees it. */
export interface RedisServer {
  readonly host: HostRecord
  readonly port: number
  readonly role: 'primary' | 'replica'
}

/** Ports of the two servers that a host of Redis has. */
export const redisPorts = [6379, 6380] as const
const unitOf = (port: number) => `redis-server@${port}`

/** Asks a server as the user of the cluster; what it answers. */
export const askRedis = (host: HostRecord, port: number, command: string) =>
  doOnHost(
    host,
    `REDISCLI_AUTH=$(sed -n 's/^masterauth //p' /etc/redis/gatehouse-auth.conf) timeout 5 redis-cli --user cluster --no-auth-warning -p ${port} ${command}`,
  )

/** The servers that live, asked of one that answers; of hosts without Redis, and of those that are down, none. */
export async function redisServers(hosts: readonly HostRecord[]): Promise<RedisServer[]> {
  for (const host of hosts) {
    for (const port of redisPorts) {
      const nodes = await askRedis(host, port, 'cluster nodes').catch(() => undefined)
      if (nodes) return parseNodes(nodes, hosts)
    }
  }
  return []
}

/** `ID ADDRESS:PORT@BUS,HOST FLAGS …`, a line a server. */
function parseNodes(text: string, hosts: readonly HostRecord[]): RedisServer[] {
  return text.split('\n').flatMap((line): RedisServer[] => {
    const [, place = '', flags = ''] = line.split(' ')
    const [, address, port] = /^(.+):(\d+)@/.exec(place) ?? []
    const host = hosts.find((each) => each.address === address)
    if (!host || /fail|noaddr|handshake/.test(flags)) return []
    return [{ host, port: Number(port), role: flags.includes('master') ? 'primary' : 'replica' }]
  })
}

/** Whether every server of every host with Redis sees a cluster with all its slots, and each primary has its replica. */
export async function isRedisWhole(hosts: readonly HostRecord[]): Promise<boolean> {
  const states = await Promise.all(
    hosts.flatMap((host) => redisPorts.map((port) => askRedis(host, port, 'cluster info').catch(() => ''))),
  )
  if (!states.every((state) => state.includes('cluster_state:ok'))) return false
  const servers = await redisServers(hosts)
  return servers.length === hosts.length * redisPorts.length
}

/** Kills servers of a host: the service manager starts them again. */
export async function killRedis(host: HostRecord, ports: readonly number[] = redisPorts): Promise<void> {
  for (const port of ports)
    await doOnHost(host, `systemctl kill --kill-whom=main --signal=KILL ${unitOf(port)}`)
}

/** Kills servers of a host, which stay down until it is undone. */
export async function holdRedisDown(host: HostRecord, ports: readonly number[] = redisPorts): Promise<Fault> {
  const units = ports.map(unitOf).join(' ')
  await doOnHost(
    host,
    `systemctl mask --runtime --quiet ${units}; systemctl kill --kill-whom=main --signal=KILL ${units}; systemctl stop ${units}`,
  )
  return {
    async undo() {
      await runOnHost(host, `systemctl unmask --runtime --quiet ${units}; systemctl reset-failed ${units}`)
      await doOnHost(host, `systemctl start ${units}`)
    },
  }
}
