import { monotonicNow } from '../../clock.ts'
import type { PluginNode, PluginService } from '../contract.ts'
import { LeaseKeeper, type Source } from './leases/lease-keeper.ts'
import { RedisLeaseStore } from './leases/lease-script.ts'
import { LeaseTable } from './leases/lease-table.ts'
import { type RateLimitSettings, windowsOf } from './settings.ts'

/** Keeps the leases of this node, on its main thread. */
export function serveLeases(settings: RateLimitSettings, node: PluginNode): PluginService {
  const { shared } = node
  if (!shared)
    throw new Error(
      `${node.id}: sync: cluster counts in Redis, and none is configured; name its servers under redis.cluster in config.yaml, or say sync: node`,
    )
  const windows = windowsOf(settings)
  const keeper = new LeaseKeeper({
    table: new LeaseTable(node.sharedMemory!, windows.length),
    windows,
    store: new RedisLeaseStore(shared, node.id, windows),
    withoutStore: settings.on_failure,
    nodes: () => shared.nodes,
    now: monotonicNow,
    wallClock: Date.now,
    onStore: storeLog(settings, node),
  })
  const timer = setInterval(() => {
    if (shared.redis.state !== 'connected') keeper.unsettle()
    keeper.tick()
  }, LeaseKeeper.tickInterval(windows))
  const forget = shared.redis.onState(() => keeper.unsettle())
  return {
    onCall: (entry) => new Promise<Source>((resolve) => keeper.ask(Number(entry), resolve)),
    stop: () => {
      clearInterval(timer)
      forget()
    },
  }
}

/** Tells of it once when Redis goes and once when it comes back. */
function storeLog({ on_failure }: RateLimitSettings, { id, log }: PluginNode): (works: boolean) => void {
  let worked = true
  return (works) => {
    if (works === worked) return
    worked = works
    if (works) log('info', 'rate limits are counted in redis again', { id })
    else log('warn', 'rate limits are decided without redis', { id, on_failure })
  }
}
