import type {
  LeaseReply,
  LeaseRequest,
  LimitWindow,
} from '../../../../../gateway-runtime/src/plugins/rate-limiting/leases/lease-exchange.ts'
import {
  LeaseKeeper,
  type WithoutStore,
} from '../../../../../gateway-runtime/src/plugins/rate-limiting/leases/lease-keeper.ts'
import { LeaseTable } from '../../../../../gateway-runtime/src/plugins/rate-limiting/leases/lease-table.ts'
import { execute, ModelState } from './lease-model.ts'

export interface SimulationOptions {
  readonly windows: readonly LimitWindow[]
  readonly withoutStore: WithoutStore
  /** Of each node: how much its clock is fast, as a part of 1, and when its requests come, in ms. */
  readonly nodes: readonly { readonly drift: number; readonly requests: readonly number[] }[]
  /** A number from 0 to 1 for each thing that chance decides. */
  readonly chance: () => number
  /** Probabilities that a message is lost or comes twice; longest way of one, in ms. */
  readonly lost: number
  readonly twice: number
  readonly latency: number
  /** Longest time until the replica has what the primary wrote. */
  readonly replication: number
  readonly events: readonly SimulatedEvent[]
  readonly length: number
}

export type SimulatedEvent =
  | { readonly at: number; readonly kind: 'node-dies'; readonly node: number }
  /** The primary stops, or goes on apart from its replica for some nodes; the replica takes over after `after` ms. */
  | { readonly at: number; readonly kind: 'failover'; readonly after: number; readonly split: boolean }
  /** A node does not reach the store until `until`; all nodes where none is named. */
  | { readonly at: number; readonly kind: 'cut'; readonly node: number | undefined; readonly until: number }

export interface Pass {
  readonly node: number
  /** By the clock of Redis. */
  readonly time: number
}

export interface SimulationResult {
  readonly passes: readonly Pass[]
  readonly refused: number
  readonly exchanges: number
}

const timeout = 200
const replicaPatience = 100
const silence = 3_500 // with the time until it is noticed
const epoch = 1_700_000_000_000
const drift = 0.0004 // of the store

interface Server {
  state: ModelState
  alive: boolean
  /** Whether it has its replica. */
  linked: boolean
  /** When the last of what it wrote is there. */
  sentUpTo: number
}

/** Several nodes, a primary and its replica, and a network between them, in a time of their own. */
export class ClusterSimulation {
  readonly #options: SimulationOptions
  readonly #queue: { readonly at: number; readonly order: number; readonly run: () => void }[] = []
  readonly #passes: Pass[] = []
  readonly #dead = new Set<number>()
  readonly #cut: Extract<SimulatedEvent, { kind: 'cut' }>[] = []
  readonly #keepers: LeaseKeeper[] = []
  #order = 0
  #time = 0
  #refused = 0
  #exchanges = 0
  /** That clients find; and one that was taken over from, while it still serves some. */
  #primary: Server = { state: new ModelState(), alive: true, linked: true, sentUpTo: 0 }
  #former: Server | undefined
  #replica = new ModelState()

  constructor(options: SimulationOptions) {
    this.#options = options
    for (const [index, node] of options.nodes.entries()) this.#startNode(index, node)
    for (const event of options.events) this.#at(event.at, () => this.#happen(event))
  }

  run(): SimulationResult {
    for (;;) {
      const next = this.#queue.shift()
      if (!next || next.at > this.#options.length) break
      this.#time = next.at
      next.run()
    }
    return { passes: this.#passes, refused: this.#refused, exchanges: this.#exchanges }
  }

  #at(at: number, run: () => void): void {
    const event = { at, order: this.#order++, run }
    let place = this.#queue.length
    while (place > 0 && this.#queue[place - 1]!.at > at) place--
    this.#queue.splice(place, 0, event)
  }

  get #redisTime(): number {
    return epoch + this.#time * (1 + drift)
  }

  #startNode(index: number, node: SimulationOptions['nodes'][number]): void {
    const { windows, withoutStore, nodes } = this.#options
    const clock = () => 1e6 * (index + 1) + this.#time * (1 + node.drift)
    const table = new LeaseTable(new SharedArrayBuffer(65_536), windows.length, clock)
    const keeper = new LeaseKeeper({
      table,
      windows,
      withoutStore,
      nodes: () => ({ id: `n${index}`, all: nodes.map((_, other) => `n${other}`), silent: this.#silent() }),
      now: clock,
      wallClock: () => epoch + this.#time + index,
      onStore: () => {},
      store: { exchange: (request, done) => this.#exchange(index, request, done) },
    })
    this.#keepers.push(keeper)
    const interval = LeaseKeeper.tickInterval(windows)
    const tick = () => {
      if (this.#dead.has(index)) return
      keeper.tick()
      this.#at(this.#time + interval, tick)
    }
    this.#at(interval, tick)
    for (const at of node.requests) this.#at(at, () => this.#request(index, table, keeper, 3))
  }

  #request(index: number, table: LeaseTable, keeper: LeaseKeeper, tries: number): void {
    if (this.#dead.has(index)) return
    const { decision, wake, entry, begins } = table.take('key')
    if (decision === 'passes') this.#passes.push({ node: index, time: this.#redisTime })
    if (decision === 'refused' || tries === 0) this.#refused++
    const again = () => this.#request(index, table, keeper, tries - 1)
    const waits = decision === 'unknown' && tries > 0
    if (waits && begins > 0) this.#at(this.#time + begins, again)
    else if (waits) keeper.ask(entry, again)
    else if (wake) keeper.ask(entry, () => {})
  }

  #exchange(index: number, request: LeaseRequest, done: (reply: LeaseReply | undefined) => void): void {
    const { chance, lost, twice, latency } = this.#options
    this.#exchanges++
    let isOver = false
    const end = (reply: LeaseReply | undefined) => {
      if (isOver || this.#dead.has(index)) return
      isOver = true
      done(reply)
    }
    this.#at(this.#time + timeout, () => end(undefined))
    if (this.#isCut(index) || chance() < lost) return
    const server = this.#former && chance() < 0.5 ? this.#former : this.#primary
    const deliver = (after: number, isFirst: boolean) =>
      this.#at(this.#time + after, () => {
        this.#execute(server, request, (reply) => {
          if (!isFirst || chance() < lost) return
          this.#at(this.#time + chance() * latency, () => {
            if (!this.#isCut(index)) end(reply)
          })
        })
      })
    deliver(chance() * latency, true)
    if (chance() < twice) deliver(chance() * timeout * 3, false)
  }

  /** Runs it on a primary; answers when its replica has what it wrote, or with undefined when that takes too long. */
  #execute(server: Server, request: LeaseRequest, answer: (reply: LeaseReply | undefined) => void): void {
    if (!server.alive) return
    const reply = execute(server.state, this.#options.windows, request, this.#redisTime)
    const copy = server.state.copy()
    // A stream: what was written later does not arrive before.
    server.sentUpTo = Math.max(
      server.sentUpTo,
      this.#time + this.#options.chance() * this.#options.replication,
    )
    const takes = server.sentUpTo - this.#time
    this.#at(server.sentUpTo, () => {
      if (server.linked) this.#replica = copy
    })
    this.#at(this.#time + Math.min(takes, replicaPatience), () => {
      if (server.alive) answer(server.linked && takes <= replicaPatience ? reply : undefined)
    })
  }

  /** Nodes that the others have not heard of for 1.5 s. */
  #silent(): string[] {
    return this.#cut
      .filter(({ at, until }) => this.#time > at + silence && this.#time < until + 500)
      .flatMap(({ node }) => (node === undefined ? [] : [`n${node}`]))
  }

  #isCut(index: number): boolean {
    return this.#cut.some(({ node, until }) => (node === undefined || node === index) && this.#time < until)
  }

  /** Every node sees that a primary does not answer, before its replica takes over and when it does. */
  #unsettle(): void {
    for (const keeper of this.#keepers) keeper.unsettle()
  }

  #happen(event: SimulatedEvent): void {
    if (event.kind === 'node-dies') this.#dead.add(event.node)
    else if (event.kind === 'cut') this.#cut.push(event)
    else this.#failOver(event)
  }

  #failOver({ after, split }: Extract<SimulatedEvent, { kind: 'failover' }>): void {
    const before = this.#primary
    if (!before.alive || !before.linked) return
    before.linked = false
    for (const at of [0, after / 2, after]) this.#at(this.#time + at, () => this.#unsettle())
    if (!split) before.alive = false
    this.#at(this.#time + after, () => {
      this.#former = split ? before : undefined
      this.#primary = { state: this.#replica.copy(), alive: true, linked: true, sentUpTo: 0 }
      // The one of before hears of it some time later, or gives up without the others.
      this.#at(this.#time + 1_000, () => {
        before.alive = false
        this.#former = undefined
      })
    })
  }
}
