import { setTimeout as sleep } from 'node:timers/promises'
import type { HostRecord } from '../record.ts'
import { isRedisWhole } from './redis-servers.ts'
import { startSteadyLoad } from './steady-load.ts'
import { holdersOf } from './virtual-ip.ts'

/** Long enough for each node to be asked. */
const trial = 500

/** Whether all hosts, which have all roles, pass requests on, one of them holds the virtual IP, and Redis is whole. */
export async function isSettled(hosts: readonly HostRecord[], virtualIp: string): Promise<boolean> {
  const load = startSteadyLoad(virtualIp)
  await sleep(trial)
  const { failures, byNode } = await load.stop()
  if (failures.length > 0 || byNode.size !== hosts.length) return false
  return (await holdersOf(hosts, virtualIp)).length === 1 && isRedisWhole(hosts)
}
