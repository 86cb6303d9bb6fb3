import { setTimeout as sleep } from 'node:timers/promises'
import type { PluginContext } from '../contract.ts'
import type { Source, WithoutStore } from './leases/lease-keeper.ts'
import { LeaseTable } from './leases/lease-table.ts'
import type { Limiter, Verdict } from './limiter.ts'

const mostTries = 64

/** Counts that all nodes share: a worker takes from the leases of its node, which the main thread keeps. */
export class ClusterLimiter implements Limiter {
  readonly #table: LeaseTable
  readonly #gateway: Pick<PluginContext, 'call' | 'count'>
  readonly #onFailure: WithoutStore
  /** Keys that the main thread was told of and has not answered for. */
  readonly #woken = new Set<number>()

  constructor(
    memory: SharedArrayBuffer,
    windows: number,
    gateway: Pick<PluginContext, 'call' | 'count'>,
    onFailure: WithoutStore,
  ) {
    this.#table = new LeaseTable(memory, windows)
    this.#gateway = gateway
    this.#onFailure = onFailure
  }

  take(key: string): Verdict | Promise<Verdict> {
    const { decision, wake, entry, window, remaining, reset } = this.#table.take(key)
    if (decision === 'unknown') return this.#wait(key)
    if (wake) this.#wake(entry)
    return { passes: decision === 'passes', window, remaining, wait: reset }
  }

  /** The first request of a key, or after a rest: its lease must come before it is decided. */
  async #wait(key: string): Promise<Verdict> {
    this.#gateway.count('waited')
    for (let tries = 0; tries < mostTries; tries++) {
      const { decision, entry, begins, window, remaining, reset } = this.#table.take(key)
      if (decision !== 'unknown') return { passes: decision === 'passes', window, remaining, wait: reset }
      if (begins > 0) await sleep(begins)
      else if (!(await this.#ask(entry))) break
    }
    const passes = this.#onFailure === 'open'
    return { passes, window: 0, remaining: 0, wait: 1_000 }
  }

  /** False: the main thread does not answer. */
  async #ask(entry: number): Promise<boolean> {
    try {
      if (((await this.#gateway.call(entry)) as Source) === 'node') this.#gateway.count('without_redis')
      return true
    } catch {
      return false
    }
  }

  #wake(entry: number): void {
    if (this.#woken.has(entry)) return
    this.#woken.add(entry)
    void this.#ask(entry).then(() => this.#woken.delete(entry))
  }
}
