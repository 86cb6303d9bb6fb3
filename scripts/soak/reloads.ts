import { setTimeout as sleep } from 'node:timers/promises'
import type { GatewayUnderLoad } from './gateway-under-load.ts'
import type { Generations } from './generations.ts'
import type { Random } from './random.ts'
import type { Tally } from './tally.ts'

const longestReload = 15_000

/** Gives the gateway one generation of its configuration after another until `stop`. */
export async function runReloads(
  gateway: GatewayUnderLoad,
  generations: Generations,
  random: Random,
  tally: Tally,
  stop: AbortSignal,
): Promise<void> {
  for (;;) {
    await sleep(random.between(500, 4_000), undefined, { signal: stop }).catch(() => {})
    if (stop.aborted) return
    const generation = generations.begin()
    await gateway.configure(generation)
    const began = performance.now()
    if (!(await isInForce(gateway, generation))) {
      if (!gateway.process.hasExited)
        tally.fail(`generation ${generation} of the configuration was not taken within ${longestReload} ms`)
      return
    }
    generations.confirm()
    tally.onReload(performance.now() - began)
  }
}

/** Configurations count as accepted when all workers hold them; the first one is that of the start. */
async function isInForce(gateway: GatewayUnderLoad, generation: number): Promise<boolean> {
  const deadline = performance.now() + longestReload
  while (performance.now() < deadline) {
    const metrics = await gateway.metrics().catch(() => undefined)
    if ((metrics?.get('gatehouse_config_reloads_total{result="accepted"}') ?? 0) > generation) return true
    if (gateway.process.hasExited) return false
    await sleep(25)
  }
  return false
}
