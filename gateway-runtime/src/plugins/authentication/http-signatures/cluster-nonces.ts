import { hash } from 'node:crypto'
import { redisScript } from '../../../control-plane/redis/redis.ts'
import type { PluginNode, PluginService } from '../../contract.ts'

/** Milliseconds that a nonce is kept longer than this node would take it: the clock of another one may be behind. */
const margin = 10_000

const take = redisScript(`return redis.call('SET', KEYS[1], '', 'NX', 'PX', ARGV[1]) and 1 or 0`)

/** A nonce that a worker asks for. */
export interface NonceCall {
  readonly nonce: string
  /** Seconds of the Unix time after which it may come again. */
  readonly until: number
}

/** Nonces that were used on any node, in Redis, until they are of no use any more. */
export class ClusterNonces implements PluginService {
  readonly #node: PluginNode

  constructor(node: PluginNode) {
    if (!node.shared)
      throw new Error(
        `${node.id}: sync: cluster keeps nonces in Redis, and none is configured; name its servers under redis.cluster in config.yaml, or say sync: node`,
      )
    this.#node = node
  }

  /** Whether it is new to all nodes. Rejected where that is not known, or could be forgotten by a failover. */
  async onCall(message: unknown): Promise<boolean> {
    const { nonce, until } = message as NonceCall
    const { id, shared } = this.#node
    const key = `${shared!.redis.prefix}:nonce:${hash('sha256', `${id}\n${nonce}`, 'base64url')}`
    const life = Math.max(Math.ceil(until * 1_000 - Date.now()), 0) + margin
    const { reply, replicated } = await shared!.redis.script(take, [key], [String(life)], {
      replicated: true,
    })
    if (reply !== 1) return false
    if (!replicated) throw new Error('the replicas do not have it')
    return true
  }

  stop(): void {}
}
