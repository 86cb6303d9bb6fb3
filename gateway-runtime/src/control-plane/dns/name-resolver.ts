import { isIP } from 'node:net'
import type { Dns } from '../../config/dns-settings.ts'
import type { Snapshot } from '../../config/snapshot.ts'
import type { ErrorLog } from '../../telemetry/error-log.ts'
import type { Addresses } from '../../worker-messages.ts'
import { FollowedName, type NameState } from './followed-name.ts'
import { resolveName } from './resolve-name.ts'

/** What time is to the resolver; tests bring one of their own. */
export interface Timers {
  /** Calls back once after so many milliseconds, unless the function that it returns is called before. */
  after(milliseconds: number, callback: () => void): () => void
}

const systemTimers: Timers = {
  after: (milliseconds, callback) => {
    const timer = setTimeout(callback, milliseconds)
    return () => clearTimeout(timer)
  },
}

interface Followed {
  readonly name: FollowedName
  /** Ends what is under way for it. */
  stop: () => void
}

const mostAtOnce = 32

/**
 * Knows the addresses of all targets with a name, for the whole node: asks for each name once, and again whenever its
 * TTL has passed. What was found stays in force until something else is found.
 */
export class NameResolver {
  readonly #log: Pick<ErrorLog, 'write'>
  readonly #onChange: (name: string, addresses: readonly string[]) => void
  readonly #timers: Timers
  readonly #followed = new Map<string, Followed>()
  readonly #addresses = new Map<string, readonly string[]>()
  readonly #waiting: (() => void)[] = []
  #asking = 0
  #settings: Dns | undefined

  /** `onChange` is told of other addresses than before, in order: IPv6 first. */
  constructor(
    log: Pick<ErrorLog, 'write'>,
    onChange: (name: string, addresses: readonly string[]) => void,
    timers: Timers = systemTimers,
  ) {
    this.#log = log
    this.#onChange = onChange
    this.#timers = timers
  }

  /** Name → its addresses; without the names for which none were found yet. Changes as they do. */
  get addresses(): Addresses {
    return this.#addresses
  }

  get states(): ReadonlyMap<string, NameState> {
    return new Map([...this.#followed].map(([host, { name }]) => [host, name.state]))
  }

  /**
   * Follows the names of a snapshot's targets, and no others. Resolves when each has been asked for once; when
   * `dns.timeout` is over, without those that are not answered yet.
   */
  async follow({ upstreams, dns }: Pick<Snapshot, 'upstreams' | 'dns'>): Promise<void> {
    const hosts = new Set(upstreams.flatMap(({ targets }) => targets.map(({ host }) => host)))
    for (const host of this.#followed.keys()) if (!hosts.has(host)) this.#forget(host)
    const isOther = JSON.stringify(dns) !== JSON.stringify(this.#settings)
    this.#settings = dns
    const asked = [...hosts]
      .filter((host) => isIP(host) === 0 && (isOther || !this.#followed.has(host)))
      .map((host) => this.#begin(host, dns))
    if (asked.length === 0) return
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, dns.timeout)
      void Promise.all(asked).then(() => {
        clearTimeout(timer)
        resolve()
      })
    })
  }

  close(): void {
    for (const host of this.#followed.keys()) this.#forget(host)
  }

  #forget(host: string): void {
    this.#followed.get(host)?.stop()
    this.#followed.delete(host)
    this.#addresses.delete(host)
  }

  /** Asks now, and from then on; what is known of the name already stays known. */
  #begin(host: string, settings: Dns): Promise<void> {
    const before = this.#followed.get(host)
    before?.stop()
    const followed: Followed = { name: before?.name ?? new FollowedName(), stop: () => {} }
    this.#followed.set(host, followed)
    return this.#ask(host, followed, settings)
  }

  async #ask(host: string, followed: Followed, settings: Dns): Promise<void> {
    let stopped = false
    followed.stop = () => {
      stopped = true
    }
    await this.#takeTurn()
    const answers = stopped ? [] : await resolveName(host, settings)
    this.#endTurn()
    if (stopped) return
    const before = followed.name.state
    const { state, askIn } = followed.name.learn(answers, settings, Math.random())
    this.#tell(host, before, state)
    followed.stop = this.#timers.after(askIn, () => void this.#ask(host, followed, settings))
  }

  #tell(host: string, before: NameState, state: NameState): void {
    const { addresses, problem } = state
    const inForce = addresses.join(', ')
    if (problem !== undefined && problem !== before.problem) {
      const staying = addresses.length > 0 ? `${inForce} stay in force` : undefined
      this.#log.write('error', 'DNS: name has no addresses', { name: host, reason: problem, staying })
    }
    if (problem === undefined && before.problem !== undefined)
      this.#log.write('info', 'DNS: name has addresses again', { name: host, addresses: inForce })
    if (inForce === before.addresses.join(', ')) return
    this.#addresses.set(host, addresses)
    this.#onChange(host, addresses)
  }

  /** So many names at once that no socket or server is overwhelmed. */
  async #takeTurn(): Promise<void> {
    if (this.#asking < mostAtOnce) this.#asking++
    else await new Promise<void>((resolve) => this.#waiting.push(resolve))
  }

  #endTurn(): void {
    const next = this.#waiting.shift()
    if (next) next()
    else this.#asking--
  }
}
