import { markOf, Payload } from './payload.ts'
import type { PlannedRequest } from './plan.ts'
import { answerFields } from './upstream.ts'

/** How a request ended, as its client saw it. */
export type Outcome =
  /** A complete answer; `code`: of a problem, `upstream`: who gave it, `fault`: what is wrong with its bytes. */
  | {
      readonly kind: 'answered'
      readonly status: number
      readonly code: string | undefined
      readonly upstream: string | undefined
      readonly fault: string | undefined
    }
  /** The gateway closed the connection or the stream; `detail` says how far the answer was. */
  | { readonly kind: 'cut'; readonly detail: string }
  /** It stood behind one that the gateway closes the connection after. */
  | { readonly kind: 'not-taken' }
  | { readonly kind: 'aborted' }
  /** Neither answer nor end in the time that any of them takes. */
  | { readonly kind: 'stuck'; readonly detail: string }

const mostProblemBytes = 4_096

/** Checks the answer to one request as it comes. */
export class AnswerCheck {
  /** Bytes of the body so far. */
  received = 0
  readonly #request: PlannedRequest
  readonly #expected: Payload
  #status = 0
  #fields: ReadonlyMap<string, string> = new Map()
  #problem = Buffer.alloc(0)
  #fault: string | undefined

  constructor(request: PlannedRequest) {
    this.#request = request
    this.#expected = new Payload(markOf('answer', request.id), request.wanted)
  }

  get status(): number {
    return this.#status
  }

  /** `fields`: names in lower case. */
  onHead(status: number, fields: ReadonlyMap<string, string>): void {
    this.#status = status
    this.#fields = fields
  }

  onBody(chunk: Buffer): void {
    if (this.#status !== 200) {
      this.#problem = Buffer.concat([
        this.#problem,
        chunk.subarray(0, mostProblemBytes - this.#problem.length),
      ])
    } else if (!this.#expected.matches(chunk, this.received)) {
      const sample = JSON.stringify(chunk.toString('latin1', 0, 64))
      this.#fault ??= `bytes of another answer in those from ${this.received} on, which begin with ${sample}`
    }
    this.received += chunk.length
  }

  /** The answer is complete. */
  outcome(): Outcome {
    return {
      kind: 'answered',
      status: this.#status,
      code: this.#status === 200 ? undefined : this.#code(),
      upstream: this.#fields.get(answerFields.upstream),
      fault: this.#fault ?? (this.#status === 200 ? this.#whatIsMissing() : undefined),
    }
  }

  /** The answer was not completed. */
  progress(): string {
    return this.#status === 0
      ? 'before its answer began'
      : `after status ${this.#status} and ${this.received} of ${this.#request.wanted} bytes`
  }

  #whatIsMissing(): string | undefined {
    const { sent, wanted, id } = this.#request
    if (this.received !== wanted) return `complete after ${this.received} of ${wanted} bytes`
    const expected = new Payload(markOf('request', id), sent).sha256()
    const given = this.#fields.get(answerFields.sha256)
    return given === expected ? undefined : `the upstream got a body with SHA-256 ${given}, not ${expected}`
  }

  #code(): string | undefined {
    try {
      return (JSON.parse(this.#problem.toString('utf8')) as { code?: string }).code
    } catch {
      return undefined
    }
  }
}
