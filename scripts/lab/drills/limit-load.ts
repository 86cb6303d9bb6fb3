import { Agent, get } from 'node:http'

/** What became of requests for a route whose limit is a number in each second by the clock. */
export interface LimitAccount {
  /** Answers other than 200 and 429, and requests without one. */
  readonly failures: readonly string[]
  readonly sent: number
  /** Requests that passed, by whole seconds since 1970 in which they were answered. */
  readonly passed: ReadonlyMap<number, number>
}

export interface LimitLoad {
  stop(): Promise<LimitAccount>
}

const timeout = 5_000

/** Asks for a path again and again, each client on a connection that it keeps, so that clients are spread over all nodes. */
export function startLimitLoad(address: string, path: string, clients = 9): LimitLoad {
  const failures: string[] = []
  const passed = new Map<number, number>()
  let sent = 0
  let going = true
  const agents = Array.from({ length: clients }, () => new Agent({ keepAlive: true, maxSockets: 1 }))
  const running = agents.map(async (agent) => {
    while (going) {
      sent++
      const status = await statusOf(agent, address, path).catch((error: Error) => error.message)
      const second = Math.floor(Date.now() / 1_000)
      if (status === 200) passed.set(second, (passed.get(second) ?? 0) + 1)
      else if (status !== 429) failures.push(String(status))
    }
  })
  return {
    async stop() {
      going = false
      await Promise.all(running)
      for (const agent of agents) agent.destroy()
      return { failures, sent, passed }
    },
  }
}

const statusOf = (agent: Agent, host: string, path: string) =>
  new Promise<number | undefined>((resolve, reject) => {
    const asked = get({ host, path, agent, timeout }, (answer) => {
      answer.on('error', reject).on('end', () => resolve(answer.statusCode))
      answer.resume()
    })
    asked.on('timeout', () => asked.destroy(new Error(`no answer within ${timeout / 1_000} s`)))
    asked.on('error', reject)
  })
