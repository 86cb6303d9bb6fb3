import { request as httpRequest } from 'node:http'
import { request as httpsRequest } from 'node:https'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Program } from '../process/program.ts'
import type { CertificateFiles } from '../start/development-certificates.ts'
import type { Scenario } from './scenarios.ts'
import type { Tools } from './tools.ts'

/** Put before a command: what pins it to a core. */
export type Pin = readonly [file: string, ...args: string[]]

/** What a peer is started with. */
export interface PeerSetup {
  readonly scenario: Scenario
  readonly tools: Tools
  readonly pin: Pin
  /** Its own folder, which is there and empty: configuration, logs, temporary files. */
  readonly directory: string
  /** To listen on, on 127.0.0.1. */
  readonly port: number
  /** Where the service is, on 127.0.0.1, over HTTP/1.1. */
  readonly upstreamPort: number
  /** Redis Cluster, host:port; only where plugins are compared. */
  readonly redis?: string
  /** For 127.0.0.1. */
  readonly certificate: CertificateFiles
  /** Where the gateway leaves a CPU profile of each thread; without it, it is not profiled. */
  readonly profileDirectory?: string
}

/**
 * A proxy that is compared. All do the same: keep connections on both sides, give each request an id that upstream
 * and client see, add X-Forwarded-For, limit the rate of an address (rejecting nothing), write an access log in
 * JSON. What one does not have is in `leavesOut`.
 */
export interface Peer {
  readonly name: string
  readonly leavesOut: readonly string[]
  /** Its version, for the report. */
  readonly version: (tools: Tools) => Promise<string>
  /** Why it cannot be had here, or cannot do the scenario; undefined when it can. */
  readonly cannot: (scenario: Scenario, tools: Tools) => string | undefined
  /** Starts it and waits until it listens. */
  readonly start: (setup: PeerSetup) => Promise<Program>
  /** What happens to it while it is under load; returns what ends that. */
  readonly duringLoad?: (setup: PeerSetup) => () => void
}

/** Waits until a program answers on its port; stops it and throws with what it wrote when it does not. */
export async function answers(
  program: Program,
  { port, secure, limit = 10_000 }: { port: number; secure: boolean; limit?: number },
): Promise<Program> {
  const deadline = performance.now() + limit
  while (!program.hasExited && performance.now() < deadline) {
    if (await answersOnce(port, secure)) return program
    await sleep(20)
  }
  await program.stop()
  throw new Error(`${program.name} does not answer on port ${port}; it wrote:\n${program.output()}`)
}

function answersOnce(port: number, secure: boolean): Promise<boolean> {
  const options = { host: '127.0.0.1', port, path: '/orders/17', agent: false, timeout: 5_000 } as const
  return new Promise((resolve) => {
    const request = secure
      ? httpsRequest({ ...options, rejectUnauthorized: false }) // only asks whether it is there
      : httpRequest(options)
    request.once('response', (response) => response.resume().once('close', () => resolve(true)))
    request.once('timeout', () => request.destroy())
    request.once('error', () => resolve(false))
    request.end()
  })
}
