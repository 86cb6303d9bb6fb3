import { monotonicNow } from '../../clock.ts'
import type { ClusterNodes } from '../../control-plane/redis/live-nodes.ts'
import { groupOf, leaseGroups } from '../rate-limiting/leases/lease-exchange.ts'
import type { FlightTable } from './flight-table.ts'
import { type SlotStore, slotLifetime } from './slot-store.ts'

/** What a node does while Redis does not answer: let its share of the limit be in flight, any number, or no more. */
export type WithoutStore = 'share' | 'open' | 'closed'

export interface SlotKeeperOptions {
  readonly table: FlightTable
  readonly store: Pick<SlotStore, 'claim'>
  readonly limit: number
  readonly withoutStore: WithoutStore
  readonly nodes: () => ClusterNodes
  /** Told when keys are decided without Redis, and when they no longer are. */
  readonly onStore: (works: boolean) => void
}

interface Key {
  readonly entry: number
  readonly digest: string
  readonly group: number
  waiting: ((source: 'store' | 'node') => void)[]
  /** What Redis has it that this node holds, and until when it does so, by the node's clock. */
  claim: number
  validUntil: number
  /** The most in flight since the last message. */
  peak: number
}

const mostKeysAtOnce = 64
const renewAfter = slotLifetime / 4
const drift = 0.001
const retryInterval = 500
const deniedFor = 100
const unlimited = 1 << 30

/** How often `tick` should be called, in milliseconds. */
export const slotTickInterval = 500

/** Keeps the slots of one limit on this node: takes them as requests need them, renews them, gives back the rest. */
export class SlotKeeper {
  readonly #options: SlotKeeperOptions
  readonly #keys = new Map<number, Key>()
  readonly #pending = Array.from({ length: leaseGroups }, () => new Set<Key>())
  readonly #busy = new Set<number>()
  readonly #retryAt = new Map<number, number>()

  constructor(options: SlotKeeperOptions) {
    this.#options = options
  }

  /** A key needs a slot. Resolves when it may have one, or nothing more can be had. */
  ask(entry: number): Promise<'store' | 'node'> {
    const flight = this.#options.table.read(entry)
    if (!flight) return Promise.resolve('node')
    let key = this.#keys.get(entry)
    if (key?.digest !== flight.digest) {
      const { digest } = flight
      key = { entry, digest, group: groupOf(digest), waiting: [], claim: 0, validUntil: 0, peak: 0 }
      this.#keys.set(entry, key)
    }
    const { promise, resolve } = Promise.withResolvers<'store' | 'node'>()
    key.waiting.push(resolve)
    this.#pending[key.group]!.add(key)
    void this.#pump(key.group)
    return promise
  }

  /** Renews what is in use and gives back what is not. */
  tick(): void {
    const now = monotonicNow()
    for (const [entry, key] of this.#keys) {
      const flight = this.#options.table.read(entry)
      const isThere = flight?.digest === key.digest
      const inFlight = isThere ? flight.inFlight : 0
      const spare = key.claim - Math.max(inFlight, key.peak)
      key.peak = inFlight
      if (key.claim === 0 && inFlight === 0 && key.waiting.length === 0) this.#keys.delete(entry)
      else if (spare > 0 || now > key.validUntil - slotLifetime + renewAfter)
        this.#pending[key.group]!.add(key)
    }
    for (const group of this.#pending.keys()) void this.#pump(group)
  }

  async #pump(group: number): Promise<void> {
    const pending = this.#pending[group]!
    const retryAt = this.#retryAt.get(group)
    if (retryAt !== undefined) for (const key of pending) if (key.waiting.length > 0) this.#decideAlone(key)
    if (this.#busy.has(group) || pending.size === 0 || monotonicNow() < (retryAt ?? 0)) return
    this.#busy.add(group)
    const keys = [...pending].slice(0, mostKeysAtOnce)
    for (const key of keys) pending.delete(key)
    const waiting = keys.map((key) => key.waiting.splice(0))
    const works = await this.#exchange(group, keys, waiting)
    this.#busy.delete(group)
    if (works !== (retryAt === undefined)) this.#options.onStore(works)
    if (works) this.#retryAt.delete(group)
    else this.#retryAt.set(group, monotonicNow() + retryInterval)
    for (const done of waiting.flat()) done(works ? 'store' : 'node')
    if (works) void this.#pump(group)
  }

  async #exchange(group: number, keys: readonly Key[], waiting: readonly unknown[][]): Promise<boolean> {
    const { table, store } = this.#options
    const sentAt = monotonicNow()
    const requests = keys.map((key, index) => {
      const flight = table.read(key.entry)
      const isThere = flight?.digest === key.digest
      const wanted = isThere ? Math.max(flight.inFlight, key.peak) + waiting[index]!.length : 0
      // A quarter more than is needed now: so not each request of a growing number has to ask.
      const wish = waiting[index]!.length > 0 ? wanted + (wanted >> 2) : wanted
      // What is given back may not be used any more, before Redis hears of it.
      const used = isThere ? table.grant(key.entry, Math.min(key.claim, wish), 0) : 0
      return { digest: key.digest, used: Math.max(isThere ? flight.inFlight : 0, Math.min(used, wish)), wish }
    })
    try {
      const claims = await store.claim(group, requests)
      for (const [index, key] of keys.entries()) {
        const claim = claims[index]!
        if (claim < 0) continue
        key.claim = claim
        key.validUntil = sentAt + slotLifetime * (1 - drift)
        if (table.read(key.entry)?.digest !== key.digest) continue
        table.grant(key.entry, claim, claim < requests[index]!.wish ? deniedFor : 0)
      }
      return true
    } catch {
      for (const key of keys) this.#decideAlone(key)
      return false
    }
  }

  /** Slots that are leased stay so until their time is over; beyond them it goes by the setting. */
  #decideAlone(key: Key): void {
    const { table, withoutStore, limit, nodes } = this.#options
    const { all, id } = nodes()
    const leased = monotonicNow() < key.validUntil ? key.claim : 0
    const share = Math.floor(limit / all.length) + Number(all.indexOf(id) < limit % all.length)
    const granted =
      withoutStore === 'open' ? unlimited : withoutStore === 'share' ? Math.max(leased, share) : leased
    if (table.read(key.entry)?.digest === key.digest) table.grant(key.entry, granted, deniedFor)
    for (const done of key.waiting.splice(0)) done('node')
  }
}
