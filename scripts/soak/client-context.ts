import { setTimeout as sleep } from 'node:timers/promises'
import type { Judge, Protocol } from './judge.ts'
import type { Planner } from './plan.ts'
import type { Random } from './random.ts'
import type { Tally } from './tally.ts'

/** Where a client connects to, what it speaks there, and how it goes about it. */
export interface Client {
  readonly port: number
  readonly protocol: Protocol
  /** Authority of the gateway's certificate, as PEM; undefined: in clear. */
  readonly ca: string | undefined
  /** Longest time from an answer to the next request, in milliseconds. */
  readonly longestPause: number
  readonly random: Random
}

/** What all clients of a run share. */
export interface ClientContext {
  readonly planner: Planner
  readonly judge: Judge
  readonly tally: Tally
  /** Ends the load: what is in flight is still answered. */
  readonly stop: AbortSignal
}

/** Waits from an answer to the next request, or until the load ends. */
export async function pause({ longestPause }: Client, random: Random, stop: AbortSignal): Promise<void> {
  await sleep(random.between(0, longestPause), undefined, { signal: stop }).catch(() => {})
}

/** Longest that any request takes: timeouts of all attempts, and time for a busy machine. Milliseconds. */
export const longestRequest = 60_000
