import { get } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'

/** One request, from its sending to its end. Times are milliseconds of `performance.now()`. */
export interface Sent {
  readonly id: number
  readonly from: number
  readonly to: number
  /** Address of the node that passed it on; undefined where it failed. */
  readonly node: string | undefined
  /** Undefined where the answer was right. */
  readonly failure: string | undefined
  /** Whether it was cut off and sent once more, on another connection. */
  readonly retried: boolean
}

/** What became of all requests. */
export interface Account {
  readonly sent: readonly Sent[]
  readonly failures: readonly Sent[]
  /** Milliseconds of the longest time in which no request was answered. */
  readonly longestGap: number
  /** Requests by the node that passed them on. */
  readonly byNode: ReadonlyMap<string, number>
}

export interface SteadyLoad {
  /** Ends it when the last request is answered or given up. */
  stop(): Promise<Account>
}

export interface LoadOptions {
  /**
   * How many requests are under way at once.
   * @default 6
   */
  readonly clients?: number
  /**
   * A path of a route to the echo service.
   * @default '/echo'
   */
  readonly path?: string
  /**
   * Milliseconds until a request is given up.
   * @default 5000
   */
  readonly timeout?: number
  /**
   * Whether a request whose connection is closed before its answer is sent once more, as browsers and most clients do with
   * an idempotent one (RFC 9110, 9.2.2).
   * @default false
   */
  readonly retries?: boolean
  /**
   * Milliseconds from the start of one request to that of the next, however many are under way: clients that come while
   * others wait. `clients` is without meaning then.
   * @default each client begins its next request when the one before has ended
   */
  readonly every?: number
}

const pause = 20
/** Most requests under way of a load that begins one at fixed intervals. */
const mostUnderWay = 500

/**
 * Asks the echo service through an address of the lab, on a connection for each request, from some clients at once, until
 * it is stopped. Each request has an id of its own that its answer must have.
 */
export function startSteadyLoad(address: string, options: LoadOptions = {}): SteadyLoad {
  const { clients = 6, path = '/echo', timeout = 5_000, retries = false, every } = options
  const sent: Sent[] = []
  const startedAt = performance.now()
  let count = 0
  let going = true
  const one = async () => {
    const id = ++count
    const from = performance.now()
    let retried = false
    const tryOnce = () => ask(address, path, timeout, id)
    const outcome = await tryOnce()
      .catch((error: NodeJS.ErrnoException) => {
        if (!retries || error.code !== 'ECONNRESET') throw error
        retried = true
        return tryOnce()
      })
      .catch((error: Error) => error.message)
    const isRight = typeof outcome !== 'string'
    const [node, failure] = isRight ? [outcome.node, undefined] : [undefined, outcome]
    sent.push({ id, from, to: performance.now(), node, failure, retried })
  }
  const oneAfterAnother = async () => {
    while (going) {
      await one()
      await sleep(pause)
    }
  }
  const atIntervals = async (interval: number) => {
    const underWay = new Set<Promise<void>>()
    while (going) {
      const request = one().finally(() => underWay.delete(request))
      if (underWay.add(request).size >= mostUnderWay) await Promise.race(underWay)
      await sleep(interval)
    }
    await Promise.all(underWay)
  }
  const running =
    every === undefined ? Array.from({ length: clients }, oneAfterAnother) : [atIntervals(every)]
  return {
    async stop() {
      going = false
      await Promise.all(running)
      return accountOf(sent, startedAt)
    },
  }
}

async function ask(
  address: string,
  path: string,
  timeout: number,
  id: number,
): Promise<{ readonly node: string }> {
  const body = await new Promise<string>((resolve, reject) => {
    const asked = get(
      { host: address, path, agent: false, headers: { 'x-id': String(id) }, timeout },
      (answer) => {
        let text = ''
        answer.setEncoding('utf8').on('data', (piece: string) => {
          text += piece
        })
        answer.on('error', reject)
        answer.on('end', () =>
          answer.statusCode === 200 ? resolve(text) : reject(new Error(`status ${answer.statusCode}`)),
        )
      },
    )
    asked.on('timeout', () => asked.destroy(new Error(`no answer within ${timeout / 1_000} s`)))
    asked.on('error', reject)
  })
  const answer = JSON.parse(body) as { id: string; node: string }
  if (answer.id !== String(id)) throw new Error(`the answer to request ${answer.id} in the place of ${id}`)
  return answer
}

function accountOf(sent: readonly Sent[], startedAt: number): Account {
  const failures = sent.filter(({ failure }) => failure !== undefined)
  const byNode = new Map<string, number>()
  for (const { node } of sent) if (node !== undefined) byNode.set(node, (byNode.get(node) ?? 0) + 1)
  let longestGap = 0
  let last = startedAt
  for (const { to, failure } of sent.toSorted((one, other) => one.to - other.to)) {
    if (failure !== undefined) continue
    longestGap = Math.max(longestGap, to - last)
    last = to
  }
  return { sent, failures, longestGap, byNode }
}
