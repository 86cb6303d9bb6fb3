import { routes } from './layout.ts'
import type { Random } from './random.ts'

/** How far a client goes before it gives a request up. */
export type AbortPoint = 'head' | 'body' | 'wait' | 'answer'

/** A request, and what its client means to do with it. */
export interface PlannedRequest {
  readonly id: number
  readonly method: 'GET' | 'POST' | 'PUT'
  /** Name of the route: the first segment of the path. */
  readonly route: string
  /** Bytes of its body; 0 for GET. */
  readonly sent: number
  readonly isChunked: boolean
  /** Bytes of the answer's body. */
  readonly wanted: number
  readonly abort: { readonly at: AbortPoint; readonly fraction: number } | undefined
}

const largest = 1_048_576

/** Makes up requests; ids are unique in the run. */
export class Planner {
  readonly #random: Random
  #lastId = 0

  constructor(random: Random) {
    this.#random = random
  }

  next(mayAbort: boolean): PlannedRequest {
    const random = this.#random
    const method = random.pick(['GET', 'GET', 'POST', 'PUT'] as const)
    const isUpload = method !== 'GET'
    return {
      id: ++this.#lastId,
      method,
      route: random.pick(routes),
      sent: isUpload ? random.magnitude(largest) : 0,
      isChunked: isUpload && random.chance(0.4),
      wanted: random.magnitude(largest),
      abort: mayAbort
        ? {
            at: random.pick(isUpload ? ['head', 'body', 'wait', 'answer'] : ['head', 'wait', 'answer']),
            fraction: random.next(),
          }
        : undefined,
    }
  }
}
