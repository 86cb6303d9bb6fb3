import type { Pin } from './peer.ts'
import type { Scenario } from './scenarios.ts'

/** What a load saw. Times in microseconds. */
export interface LoadResult {
  readonly requests: number
  readonly duration: number
  /** Broken connections, timeouts and answers other than 2xx and 3xx. */
  readonly errors: number
  readonly p50: number
  readonly p99: number
}

export interface LoadOptions {
  /** The program that makes the load. */
  readonly tool: string
  readonly pin: Pin
  /** For its script or log. */
  readonly directory: string
  readonly scenario: Scenario
  /** Where the peer listens, on 127.0.0.1. */
  readonly port: number
  readonly seconds: number
}
