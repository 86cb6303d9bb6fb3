import type { Outcome } from './answer-check.ts'
import type { Generations } from './generations.ts'
import { faultyReadTimeout, openDuration, type SoakService, serviceOf } from './layout.ts'
import type { PlannedRequest } from './plan.ts'
import type { Stalls } from './stalls.ts'
import type { Timeline } from './timeline.ts'
import type { Mode } from './upstream.ts'

export type Protocol = 'HTTP/1.1' | 'HTTP/1.1 over TLS' | 'HTTP/2' | 'HTTP/2 over TLS'

/** A request with its times, in milliseconds of `performance.now()`. */
export interface EndedRequest {
  readonly request: PlannedRequest
  readonly protocol: Protocol
  readonly sentAt: number
  readonly endedAt: number
  readonly outcome: Outcome
}

// What hangs when an upstream comes back runs into its timeout, and may open the circuit; a slow machine adds to it.
const aftermath = faultyReadTimeout + openDuration + 1_500
const mostReplayed = 65_536 // bytes of a body that the gateway keeps to send them again

const stallThatTells = faultyReadTimeout / 4

const breaks: readonly Mode[] = ['hang', 'reset', 'dead']

/** The modes of an upstream that explain the code of a problem. */
const explanations: Readonly<Record<string, { readonly status: number; readonly modes: readonly Mode[] }>> = {
  'upstream-connection-refused': { status: 502, modes: ['dead'] },
  'upstream-connection-failed': { status: 502, modes: ['dead'] },
  'upstream-connection-reset': { status: 502, modes: ['reset', 'dead'] },
  'upstream-bad-response': { status: 502, modes: ['reset'] },
  'upstream-read-timeout': { status: 504, modes: ['hang'] },
  'upstream-write-timeout': { status: 504, modes: ['hang'] },
  'upstream-circuit-open': { status: 503, modes: breaks },
}

/** Knows what upstreams were told to do and where routes went, and so what may become of a request. */
export class Judge {
  readonly #modes: ReadonlyMap<string, Timeline<Mode>>
  readonly #generations: Generations
  readonly #stalls: Pick<Stalls, 'during'>

  /** `modes`: by the name of an upstream. */
  constructor(
    modes: ReadonlyMap<string, Timeline<Mode>>,
    generations: Generations,
    stalls: Pick<Stalls, 'during'>,
  ) {
    this.#stalls = stalls
    this.#modes = modes
    this.#generations = generations
  }

  /** Returns what is wrong with how it ended, or undefined. */
  objection(ended: EndedRequest): string | undefined {
    const { outcome } = ended
    if (outcome.kind === 'aborted' || outcome.kind === 'not-taken') return undefined
    if (outcome.kind === 'stuck') return `no answer and no end, ${outcome.detail}`
    if (outcome.kind === 'cut') {
      return this.mayBreak(ended) ? undefined : `cut off ${outcome.detail}${this.#told(ended)}`
    }
    if (outcome.fault !== undefined) return `status ${outcome.status}: ${outcome.fault}`
    if (outcome.status === 200) return this.#objectionToOrigin(ended, outcome.upstream)
    return this.#isExplained(ended, outcome.status, outcome.code)
      ? undefined
      : `status ${outcome.status} (${outcome.code ?? 'not of the gateway'})${this.#told(ended)}`
  }

  /** Whether its answer may break off: what its upstreams did around that time explains it. */
  mayBreak(ended: EndedRequest): boolean {
    const modes = this.#modesAround(ended)
    return breaks.some((mode) => modes.has(mode))
  }

  #isExplained(ended: EndedRequest, status: number, code = ''): boolean {
    const explanation = explanations[code]
    if (explanation?.status !== status) return false
    const modes = this.#modesAround(ended)
    if (explanation.modes.some((mode) => modes.has(mode))) return true
    // An upload that HTTP/2 sends behind the last stream of a connection that closes: some of it is not kept.
    return (
      code === 'upstream-connection-reset' &&
      modes.has('closing') &&
      ended.request.sent > mostReplayed &&
      this.#servicesOf(ended).some(({ http2 }) => http2)
    )
  }

  #servicesOf({ request, sentAt, endedAt }: EndedRequest): readonly SoakService[] {
    const generations = this.#generations.during(sentAt, endedAt)
    return generations.map((generation) => serviceOf(request.route, generation))
  }

  #upstreamsOf(ended: EndedRequest): readonly string[] {
    return [...new Set(this.#servicesOf(ended).flatMap(({ upstreams }) => upstreams))]
  }

  /** A time in which they stood still without being told to counts as one in which they hang. */
  #modesAround(ended: EndedRequest): ReadonlySet<Mode> {
    const from = ended.sentAt - aftermath
    const modes = new Set(
      this.#upstreamsOf(ended).flatMap((name) => [...this.#modes.get(name)!.during(from, ended.endedAt)]),
    )
    const canHang = this.#servicesOf(ended).some(({ fails }) => fails) // the others have far longer timeouts
    if (canHang && this.#stalls.during(from, ended.endedAt) > stallThatTells) modes.add('hang')
    return modes
  }

  #objectionToOrigin(ended: EndedRequest, upstream: string | undefined): string | undefined {
    const expected = this.#upstreamsOf(ended)
    if (upstream !== undefined && expected.includes(upstream)) return undefined
    return `answered by upstream ${upstream}, not by ${expected.join(' or ')}`
  }

  #told(ended: EndedRequest): string {
    const modes = [...this.#modesAround(ended)].reverse().join(', ')
    return `, while ${this.#upstreamsOf(ended).join(' and ')} had been told to be ${modes}`
  }
}
