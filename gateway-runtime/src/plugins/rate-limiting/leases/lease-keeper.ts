import type { ClusterNodes } from '../../../control-plane/redis/live-nodes.ts'
import { Demand, earliestLead } from './demand.ts'
import type { KeyLeases, Slot } from './key-leases.ts'
import type {
  LeaseReply,
  LeaseRequest,
  LeaseStore,
  LimitWindow,
  NodeCount,
  WindowClaim,
  WindowGrant,
} from './lease-exchange.ts'
import { groupOf, leaseGroups } from './lease-exchange.ts'
import type { KeyDigest, LeaseTable } from './lease-table.ts'
import { RedisClock } from './redis-clock.ts'
import { type Appetite, appetiteFor, giveBack, isDue, longestHorizon, receive } from './slot-rules.ts'

/** What a node lets pass while the store does not answer: its share of the limit, all, or nothing. */
export type WithoutStore = 'share' | 'open' | 'closed'

export interface KeeperOptions {
  readonly table: LeaseTable
  readonly windows: readonly LimitWindow[]
  readonly store: LeaseStore
  readonly withoutStore: WithoutStore
  /** This node and all that share the store, in an order that is the same for all. */
  readonly nodes: () => ClusterNodes
  /** Milliseconds of the clock that the table goes by. */
  readonly now: () => number
  /** Milliseconds since 1970 of this node: what windows go by before the store has ever told the time. */
  readonly wallClock: () => number
  /** Told when keys of a group are decided without the store, and when they no longer are. */
  readonly onStore: (works: boolean) => void
}

/** Whether the store was asked, or the node decided for itself. */
export type Source = 'store' | 'node'

interface Key {
  readonly entry: number
  readonly digest: KeyDigest
  readonly group: number
  readonly demand: Demand
  /** Those who wait for an answer. */
  waiting: ((source: Source) => void)[]
  /** For each window: how often in a row the store had no more. */
  readonly denials: number[]
  /** Claims that the store does not know of. */
  unreported: boolean
}

interface Group {
  readonly pending: Set<Key>
  busy: boolean
  /** Since when the store has not answered for it. */
  failingSince: number | undefined
  retryAt: number
}

const mostKeysAtOnce = 64
const retryInterval = 500
const deniedWithoutStore = 100
const quietAfter = 2_000
const longestDenial = 30_000
// So long after the store came back other nodes may not yet have told what they let pass without it.
const settlingTime = 2_000
const unlimited = 1 << 30

/**
 * Keeps the leases of one limit on this node: asks the store for what the workers will need, gives back what they do
 * not, and decides alone while the store does not answer. Knows no sockets and no timers: `ask` and `tick` drive it.
 */
export class LeaseKeeper {
  readonly #options: KeeperOptions
  readonly #keys = new Map<number, Key>()
  readonly #groups: readonly Group[]
  readonly #clock: RedisClock
  #sequence = 0
  #settledAt = Number.NEGATIVE_INFINITY

  constructor(options: KeeperOptions) {
    this.#options = options
    this.#clock = new RedisClock(options.wallClock() - options.now())
    this.#groups = Array.from({ length: leaseGroups }, () => ({
      pending: new Set<Key>(),
      busy: false,
      failingSince: undefined,
      retryAt: 0,
    }))
  }

  /** How often `tick` should be called, in milliseconds. */
  static tickInterval(windows: readonly LimitWindow[]): number {
    return Math.min(Math.max(Math.min(...windows.map(({ period }) => period)) / 8, 25), 500)
  }

  /** A key of the table has no lease, or little. Calls back when that has changed or nothing more can be had. */
  ask(entry: number, done: (source: Source) => void): void {
    let key = this.#keys.get(entry)
    if (!key || !this.#options.table.has(entry, key.digest)) {
      key = this.#newKey(entry)
      this.#keys.set(entry, key)
    }
    key.waiting.push(done)
    this.#groups[key.group]!.pending.add(key)
    this.#pump(key.group)
  }

  /** The store was away, or is, for some nodes: until they have told what they let pass, all leave others a share. */
  unsettle(): void {
    this.#settledAt = this.#options.now() + settlingTime
  }

  /** Takes care of what nobody asks for: leases for windows that are about to begin, and those that lie idle. */
  tick(): void {
    const now = this.#options.now()
    for (const [entry, key] of this.#keys) {
      const { lastUsed, offered } = this.#options.table.useOf(entry)
      key.demand.see(offered, now)
      if (this.#wantsExchange(key, now)) this.#groups[key.group]!.pending.add(key)
      else if (now - lastUsed > quietAfter && key.waiting.length === 0 && !key.unreported)
        this.#keys.delete(entry) // its leases stay in the table
    }
    for (const group of this.#groups.keys()) this.#pump(group)
  }

  #newKey(entry: number): Key {
    const digest = this.#options.table.digestAt(entry)
    return {
      entry,
      digest,
      group: groupOf(digest.text),
      demand: new Demand(this.#options.now()),
      waiting: [],
      denials: this.#options.windows.map(() => 0),
      unreported: false,
    }
  }

  #pump(index: number): void {
    const group = this.#groups[index]!
    if (group.pending.size === 0) return
    const now = this.#options.now()
    if (group.failingSince !== undefined) {
      for (const key of group.pending) if (key.waiting.length > 0) this.#decideAlone(key)
      if (now < group.retryAt) return
    }
    if (group.busy) return
    const keys = [...group.pending].slice(0, mostKeysAtOnce)
    const claims = keys.map((key) => this.#claimsOf(key, now))
    for (const key of keys) group.pending.delete(key)
    const asked = keys.flatMap((key, at) => (claims[at] ? [{ key, claims: claims[at] }] : []))
    if (asked.length === 0) return
    group.busy = true
    const waiting = asked.map(({ key }) => key.waiting.splice(0))
    const answer = (source: Source) => {
      for (const done of waiting.flat()) done(source)
    }
    const request: LeaseRequest = {
      sequence: ++this.#sequence,
      group: index,
      nodes: this.#nodeCount(now),
      keys: asked.map(({ key: { digest }, claims }) => ({ digest: digest.text, claims })),
    }
    this.#options.store.exchange(request, (reply) => {
      group.busy = false
      if (reply) this.#onReply(group, asked, reply, now)
      else
        this.#onFailure(
          group,
          asked.map(({ key }) => key),
        )
      answer(reply ? 'store' : 'node')
      this.#pump(index)
    })
  }

  #onReply(
    group: Group,
    asked: readonly { readonly key: Key; readonly claims: readonly WindowClaim[] }[],
    { time, keys }: LeaseReply,
    sentAt: number,
  ): void {
    const now = this.#options.now()
    this.#clock.learn({ time, sentAt, now })
    if (group.failingSince !== undefined) {
      group.failingSince = undefined
      this.unsettle()
      this.#options.onStore(!this.#groups.some(({ failingSince }) => failingSince !== undefined))
      for (const key of this.#keys.values())
        if (key.unreported && this.#groups[key.group] === group) group.pending.add(key)
    }
    for (const [at, { key, claims }] of asked.entries()) {
      const grants = keys[at]
      if (grants) this.#accept(key, claims, grants, { time, sentAt, now })
    }
  }

  #onFailure(group: Group, keys: readonly Key[]): void {
    const now = this.#options.now()
    if (group.failingSince === undefined) this.#options.onStore(false)
    group.failingSince ??= now
    group.retryAt = now + retryInterval
    for (const key of keys) {
      key.unreported = true
      this.#decideAlone(key)
    }
  }

  #nodeCount(now: number): NodeCount {
    const { id, all, silent } = this.#options.nodes()
    const reserved = now < this.#settledAt ? all.filter((other) => other !== id) : silent
    return { id, all: all.length, reserved: this.#options.withoutStore === 'share' ? reserved : [] }
  }

  /** What is said to the store of a key; gives back first what the node will not need. */
  #claimsOf(key: Key, now: number): WindowClaim[] | undefined {
    const { table, windows } = this.#options
    key.demand.see(table.useOf(key.entry).offered, now)
    key.unreported = false
    const claims: WindowClaim[] = []
    const isThere = table.change(key.entry, key.digest, (leases) => {
      for (const [window, limit] of windows.entries())
        claims.push(this.#claimOf(leases.known(window), limit, key, now))
    })
    if (isThere) return claims
    for (const done of key.waiting.splice(0)) done('node')
    return undefined
  }

  #claimOf(
    [first, second]: readonly Slot[],
    { limit, period }: LimitWindow,
    key: Key,
    now: number,
  ): WindowClaim {
    const needed = (by: Appetite, time: number) => Math.max(by.now(key.demand, time), key.waiting.length)
    if (!first) {
      const ask = needed(this.#appetite(undefined, limit), period / 2)
      return { number: 0, held: -1, heldNext: -1, ask, askNext: 0 }
    }
    for (const slot of [first, second]) if (slot && slot.left > slot.claim) slot.left = 0 // of `open`
    const current = second && now >= second.start ? second : first
    const next = second && now < second.start ? second : undefined
    const toEnd = current.end - now
    const isOver = toEnd <= 0
    const appetite = this.#appetite(isOver ? undefined : current, limit)
    const need = needed(appetite, isOver ? period / 2 : toEnd)
    if (!isOver) giveBack(current, appetite.most(key.demand, toEnd))
    const nextLeft = next?.left ?? 0
    const nextNeed = isOver || toEnd > earliestLead(period) ? 0 : appetite.next(key.demand, period)
    return {
      number: first.number,
      held: first.claim,
      heldNext: second ? second.claim : -1,
      ask: isOver ? need : Math.max(need - current.left, 0),
      askNext: nextLeft < appetite.enough * nextNeed ? nextNeed - nextLeft : 0,
    }
  }

  #appetite(slot: Slot | undefined, limit: number): Appetite {
    return appetiteFor(slot, limit, this.#options.nodes().all.length)
  }

  #accept(
    key: Key,
    claims: readonly WindowClaim[],
    grants: readonly WindowGrant[],
    at: { readonly time: number; readonly sentAt: number; readonly now: number },
  ): void {
    const { table, windows } = this.#options
    table.change(key.entry, key.digest, (leases) => {
      for (const [window, { limit, period }] of windows.entries()) {
        const grant = grants[window]!
        const claim = claims[window]!
        const edge = this.#clock.bounds((grant.number + 1) * period, at)
        const end = this.#clock.bounds((grant.number + 2) * period, at)
        const current = leases.slot(window, grant.number)
        const next = leases.slot(window, grant.number + 1)
        const begins = current.number === grant.number ? Math.min(at.now, current.start) : at.now
        receive(current, grant.number, claim, {
          total: grant.claim,
          granted: grant.granted,
          free: grant.free,
        })
        // It is that window now: it may be used at once, whatever was thought of its beginning.
        current.span(begins, edge.earliest)
        receive(next, grant.number + 1, claim, {
          total: grant.claimNext,
          granted: grant.grantedNext,
          free: grant.freeNext,
        })
        next.span(edge.latest, end.earliest)
        for (const slot of [current, next]) {
          const isLong = slot.end - Math.max(at.now, slot.start) > longestHorizon * 2
          slot.low = key.demand.lowMark(slot.left, isLong ? this.#appetite(slot, limit).reserve : 0)
        }
        this.#noteDenial(leases, key, window, claim.ask > 0 && grant.granted === 0, current, period, at.now)
      }
    })
  }

  /** With each denial in a row the next question comes later: others may give back, but not often. */
  #noteDenial(
    leases: KeyLeases,
    key: Key,
    window: number,
    isDenied: boolean,
    current: Slot,
    period: number,
    now: number,
  ): void {
    if (!isDenied) {
      if (current.left > 0) key.denials[window] = 0
      return
    }
    const denials = key.denials[window]!++
    const first = Math.min(Math.max(period / 4, 10), 250)
    leases.deny(window, Math.min(now + Math.min(first * 2 ** denials, longestDenial), current.end))
  }

  /** Leases from the node itself. */
  #decideAlone(key: Key): void {
    const { table, windows, now } = this.#options
    const at = now()
    table.change(key.entry, key.digest, (leases) => {
      for (const [window, limit] of windows.entries()) {
        const { number, start, end } = this.#clock.windowAt(at, limit.period)
        const slot = leases.slot(window, number)
        if (slot.number !== number) slot.span(start, end)
        slot.begin(number)
        const granted = this.#allow(slot, limit)
        slot.left += granted
        if (this.#options.withoutStore !== 'open') slot.claim += granted
        if (granted > 0) key.unreported = true
        else if (slot.left <= 0) leases.deny(window, Math.min(at + deniedWithoutStore, slot.end))
      }
    })
    for (const done of key.waiting.splice(0)) done('node')
  }

  /** How many more requests of a window the node may let pass without asking. */
  #allow(slot: Slot, { limit }: LimitWindow): number {
    const { withoutStore, nodes } = this.#options
    if (withoutStore === 'closed') return 0
    if (withoutStore === 'open') return slot.left > 0 ? 0 : unlimited
    const { id, all } = nodes()
    const share = (whole: number) =>
      Math.floor(whole / all.length) + Number(all.indexOf(id) < whole % all.length)
    const most = Math.max(share(limit) - slot.claim, 0)
    if (slot.free < 0) return most
    // Of a window that the store was asked about, no more than nobody had leased then.
    const granted = Math.min(most, slot.free)
    slot.free -= granted
    return granted
  }

  #wantsExchange(key: Key, now: number): boolean {
    const { failingSince, retryAt } = this.#groups[key.group]!
    // While the store does not answer, it is asked now and then whether it does again.
    let wants = key.unreported && (failingSince === undefined || now >= retryAt)
    this.#options.table.change(key.entry, key.digest, (leases) => {
      for (const [window, limit] of this.#options.windows.entries())
        wants ||= isDue(leases.known(window), limit, this.#options.nodes().all.length, key.demand, now)
    })
    return wants
  }
}
