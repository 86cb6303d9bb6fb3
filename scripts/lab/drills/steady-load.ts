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
}

const pause = 20

/**
 * Asks the echo service through an address of the lab, on a connection for each request, from some clients at once, until
 * it is stopped. Each request has an id of its own that its answer must have.
 */
export function startSteadyLoad(address: string, options: LoadOptions = {}): SteadyLoad {
  const { clients = 6, path = '/echo', timeout = 5_000 } = options
  const sent: Sent[] = []
  const startedAt = performance.now()
  let count = 0
  let going = true
  const running = Array.from({ length: clients }, async () => {
    while (going) {
      const id = ++count
      const from = performance.now()
      const outcome = await ask(address, path, timeout, id).catch((error: Error) => error.message)
      const isRight = typeof outcome !== 'string'
      sent.push({
        id,
        from,
        to: performance.now(),
        node: isRight ? outcome.node : undefined,
        failure: isRight ? undefined : outcome,
      })
      await sleep(pause)
    }
  })
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
