import { definePlugin, type Reply } from '../contract.ts'
import { ClusterLimiter } from './cluster-limiter.ts'
import { serveLeases } from './cluster-service.ts'
import { keyReader } from './limited-key.ts'
import type { Limiter, Verdict } from './limiter.ts'
import { NodeLimiter } from './node-limiter.ts'
import { settingsSchema, windowsOf } from './settings.ts'

const refusal: Reply = {
  status: 429,
  code: 'rate-limit-exceeded',
  detail: 'Too many requests: wait as many seconds as Retry-After says, then go on.',
}

/**
 * Limits how many requests of one client pass. On one node by sliding windows, exact over all workers; over a cluster
 * by fixed windows, exact over all nodes, without asking Redis on the way of a request: nodes lease parts of the limit
 * ahead of use. The answer says what is left in the RateLimit and RateLimit-Policy fields
 * (draft-ietf-httpapi-ratelimit-headers).
 */
export const rateLimiting = definePlugin({
  name: 'rate-limiting',
  order: 900,
  description: 'Lets so many requests of one client pass in a period; answers 429 to the rest.',
  config: settingsSchema,
  counters: {
    refused: 'Requests that were over the limit.',
    waited: 'Requests that waited for a lease: the first of a key, or after a rest.',
    without_redis: 'Questions for leases that the node answered itself, as Redis did not.',
  },
  examples: [
    { limit: 1_000, period: 'second' },
    {
      by: 'consumer',
      windows: [
        { limit: 10, period: 'second' },
        { limit: 10_000, period: 'day' },
      ],
    },
    { limit: 600, period: 'minute', burst: 20, sync: 'cluster', on_failure: 'share' },
  ],
  sharedMemory: ({ memory }) => memory,
  create(config, gateway) {
    const windows = windowsOf(config)
    const memory = gateway.sharedMemory!
    const limiter: Limiter =
      config.sync === 'node'
        ? new NodeLimiter(memory, windows)
        : new ClusterLimiter(memory, windows.length, gateway, config.on_failure)
    const policy = windows
      .map(({ name, limit, period }) => `"${name}";q=${limit};w=${Math.ceil(period / 1_000)}`)
      .join(', ')
    const names = windows.map(({ name }) => JSON.stringify(name))
    const keyOf = keyReader(config)
    return {
      onRequest(exchange) {
        const answer = ({ passes, window, remaining, wait }: Verdict): Reply | undefined => {
          const seconds = String(Math.max(Math.ceil(wait / 1_000), 1))
          exchange.addResponseHeader('ratelimit-policy', policy)
          exchange.addResponseHeader('ratelimit', `${names[window]};r=${remaining};t=${seconds}`)
          if (passes) return undefined
          gateway.count('refused')
          exchange.addResponseHeader('retry-after', seconds)
          return refusal
        }
        const verdict = limiter.take(keyOf(exchange))
        return verdict instanceof Promise ? verdict.then(answer) : answer(verdict)
      },
    }
  },
  serve: (config, node) => (config.sync === 'cluster' ? serveLeases(config, node) : { stop: () => {} }),
})
