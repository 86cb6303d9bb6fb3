import { hash } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { z } from 'zod'
import type { PluginNode } from '../../contract.ts'
import { ExpiringCache } from '../expiring-cache.ts'
import type { Seal } from './seal.ts'
import { issuedTokens } from './session.ts'

/** What an issuer has answered; it is asked once for each code and refresh token. The reason is for the error log. */
export const issuedSchema = z.union([z.object({ tokens: issuedTokens }), z.object({ refused: z.string() })])
export type Issued = z.output<typeof issuedSchema>

const mostRemembered = 10_000
/** Milliseconds in which who comes late with a token gets what the first one got for it. */
const rememberedFor = 300_000
/** Milliseconds that a node has for asking the issuer before another one tries. */
const turn = 10_000
const pause = 50

/**
 * Has each refresh token given away once, however many requests come with it: issuers take a second use for theft. Over
 * nodes too, where they share Redis; what one of them got is there for the others, sealed.
 */
export class Renewals {
  readonly #seal: Seal
  readonly #node: PluginNode
  readonly #begun = new ExpiringCache<Promise<Issued>>(mostRemembered)

  constructor(seal: Seal, node: PluginNode) {
    this.#seal = seal
    this.#node = node
  }

  /** Rejects where `ask` does: then the next one asks again. */
  once(refreshToken: string, ask: () => Promise<Issued>): Promise<Issued> {
    const digest = hash('sha256', refreshToken, 'base64url')
    const known = this.#begun.get(digest)
    if (known) return known
    const begun = this.#node.shared ? this.#overNodes(digest, ask) : ask()
    this.#begun.set(digest, begun, Date.now() + rememberedFor)
    begun.catch(() => this.#begun.delete(digest))
    return begun
  }

  async #overNodes(digest: string, ask: () => Promise<Issued>): Promise<Issued> {
    const key = `${this.#node.shared!.redis.prefix}:oidc:${digest}`
    const deadline = Date.now() + turn
    while (Date.now() < deadline) {
      const isMine = await this.#command(key, ['SET', key, '', 'NX', 'PX', String(turn)])
      if (isMine === 'OK') return this.#askFor(key, ask)
      const text = await this.#command(key, ['GET', key])
      if (isMine === undefined || text === undefined) break // Redis is out
      const found = issuedSchema.safeParse(typeof text === 'string' ? await this.#seal.open(text) : undefined)
      if (found.success) return found.data
      await sleep(pause)
    }
    return ask()
  }

  async #askFor(key: string, ask: () => Promise<Issued>): Promise<Issued> {
    try {
      const issued = await ask()
      const sealed = await this.#seal.seal(issued, Date.now() + rememberedFor)
      await this.#command(key, ['SET', key, sealed, 'PX', String(rememberedFor)])
      return issued
    } catch (error) {
      await this.#command(key, ['DEL', key])
      throw error
    }
  }

  /** Undefined where Redis gives no answer: each node asks for itself then. */
  async #command(key: string, args: readonly string[]): Promise<unknown> {
    try {
      return await this.#node.shared!.redis.command(key, args)
    } catch (error) {
      const { message } = error as Error
      this.#node.log('warn', 'renewals are not shared', { reason: message })
      return undefined
    }
  }
}
