import { type Check, type Finding, pass, unseen, warn } from './check.ts'

/** Whether a load balancer spreads requests evenly: a chi-squared test over what each node has counted. */
export const balanceCheck: Check = {
  id: 'load-balancer',
  title: 'load balancer',
  async run({ nodes }) {
    if (nodes.length < 2)
      return unseen('say where the nodes are: --nodes http://10.0.0.1:9090,http://10.0.0.2:9090')
    const counts = await Promise.all(nodes.map(requestsOf))
    const missing = nodes.filter((_, index) => counts[index] === undefined)
    if (missing.length > 0) return warn(`${missing.join(', ')} does not answer`, 'see whether that node runs')
    return judge(nodes, counts as number[])
  },
}

async function requestsOf(node: string): Promise<number | undefined> {
  try {
    const response = await fetch(new URL('/metrics', node), { signal: AbortSignal.timeout(3_000) })
    const values = (await response.text()).matchAll(/^gatehouse_requests_total(?:\{[^}]*\})? ([\d.e+]+)/gm)
    return [...values].reduce((sum, [, value]) => sum + Number(value), 0)
  } catch {
    return undefined
  }
}

/** With many requests every difference is significant, so it has to be a tenth of the mean, too. */
export function judge(nodes: readonly string[], counts: readonly number[]): Finding {
  const total = counts.reduce((sum, count) => sum + count, 0)
  const mean = total / counts.length
  if (mean < 20) return unseen(`${total} requests are too few to tell`)
  const chiSquared = counts.reduce((sum, count) => sum + (count - mean) ** 2 / mean, 0)
  const isChance = chiSquared < critical(counts.length - 1)
  const worst = counts.reduce(
    (far, count, index) => (Math.abs(count - mean) > Math.abs(counts[far]! - mean) ? index : far),
    0,
  )
  const share = `${((100 * counts[worst]!) / total).toFixed(1)} % of ${total} requests`
  if (isChance || Math.abs(counts[worst]! - mean) < mean / 10)
    return pass(`${total} requests, evenly over ${nodes.length} nodes`)
  return warn(
    `${nodes[worst]} got ${share}, an even share is ${(100 / nodes.length).toFixed(1)} % (chi-squared ${chiSquared.toFixed(0)})`,
    'check health checks, weights and stickiness of the load balancer; connections that last keep their node',
  )
}

/** Value that chance passes once in a thousand times; by the approximation of Wilson and Hilferty. */
function critical(degrees: number): number {
  const spread = 2 / (9 * degrees)
  return degrees * (1 - spread + 3.0902 * Math.sqrt(spread)) ** 3
}
