import type { EndedRequest, Judge, Protocol } from './judge.ts'
import type { AbortPoint } from './plan.ts'

const mostExplained = 20

/** What a run has seen so far. */
export class Tally {
  readonly requests: Record<Protocol, number> = {
    'HTTP/1.1': 0,
    'HTTP/1.1 over TLS': 0,
    'HTTP/2': 0,
    'HTTP/2 over TLS': 0,
  }
  /** Connections of clients, and how many of them were given an answer. */
  readonly connections = { opened: 0, answered: 0 }
  readonly uploads = { count: 0, bytes: 0 }
  readonly downloads = { count: 0, bytes: 0 }
  readonly aborts: Record<AbortPoint, number> = { head: 0, body: 0, wait: 0, answer: 0 }
  readonly reloads = { count: 0, longest: 0 }
  /** Requests without a complete answer. */
  incomplete = 0
  /** Complete answers by status. */
  readonly answers = new Map<number, number>()
  /** Ends of requests by status and, of problems, their code; `cut off` and the like for those without one. */
  readonly outcomes = new Map<string, number>()
  /** The first of them, in words. */
  readonly failures: string[] = []
  failureCount = 0
  readonly #judge: Judge
  readonly #began = performance.now()

  constructor(judge: Judge) {
    this.#judge = judge
  }

  get total(): number {
    return Object.values(this.requests).reduce((sum, count) => sum + count, 0)
  }

  fail(explanation: string): void {
    this.failureCount++
    if (this.failures.length >= mostExplained) return
    const second = ((performance.now() - this.#began) / 1_000).toFixed(1)
    this.failures.push(`at ${second} s: ${explanation}`)
  }

  /** `time`: until it was in force, in milliseconds. */
  onReload(time: number): void {
    this.reloads.count++
    this.reloads.longest = Math.max(this.reloads.longest, time)
  }

  onAbort(at: AbortPoint): void {
    this.aborts[at]++
  }

  /** Counts a request, and judges it; `isExplained`: another one on its connection explains that it was cut. */
  onEnd(ended: EndedRequest, isExplained = false): void {
    const { request, protocol, outcome } = ended
    this.requests[protocol]++
    if (outcome.kind === 'answered' && outcome.status === 200) {
      if (request.method !== 'GET') count(this.uploads, request.sent)
      count(this.downloads, request.wanted)
    }
    increment(this.outcomes, kindOf(ended))
    if (outcome.kind === 'answered') increment(this.answers, outcome.status)
    else this.incomplete++
    const objection = isExplained && outcome.kind === 'cut' ? undefined : this.#judge.objection(ended)
    if (objection) this.fail(`${describe(ended)}: ${objection}`)
  }
}

function count(sum: { count: number; bytes: number }, bytes: number): void {
  sum.count++
  sum.bytes += bytes
}

function increment<Key>(counts: Map<Key, number>, key: Key): void {
  counts.set(key, (counts.get(key) ?? 0) + 1)
}

function kindOf({ outcome }: EndedRequest): string {
  if (outcome.kind === 'answered') return [outcome.status, outcome.code].filter(Boolean).join(' ')
  return { cut: 'cut off', 'not-taken': 'not taken any more', aborted: 'given up', stuck: 'stuck' }[
    outcome.kind
  ]
}

function describe({ request, protocol, sentAt, endedAt }: EndedRequest): string {
  const { id, method, route, sent, isChunked, wanted } = request
  const body = sent > 0 ? ` with ${sent} bytes${isChunked ? ' in chunks' : ''}` : ''
  return `request ${id}, ${method} /${route}${body} for ${wanted} bytes by ${protocol}, ${Math.round(endedAt - sentAt)} ms`
}
