import { setTimeout as sleep } from 'node:timers/promises'
import { type Program, startProgram } from './program.ts'

export interface GatewayProcessOptions {
  /** The program: `['dist/gateway/gateway']`, or Node.js with the source entry. */
  readonly command: readonly [file: string, ...args: string[]]
  readonly configDirectory: string
  readonly stateDirectory: string
  /** Where /readyz answers; on loopback. */
  readonly statusPort: number
  /** Ends the wait, and the gateway with it. */
  readonly signal?: AbortSignal
  /** Longest time to wait for readiness, in milliseconds; 15,000. */
  readonly limit?: number
  readonly env?: Readonly<Record<string, string | undefined>>
  /** See ProgramOptions. */
  readonly ownGroup?: boolean
}

/**
 * Starts a gateway and waits until /readyz answers 200.
 * Rejects with what the gateway wrote when it ends first or is not ready in time; it is then stopped.
 */
export async function startGatewayProcess(options: GatewayProcessOptions): Promise<Program> {
  const [file, ...args] = options.command
  const gateway = await startProgram({
    name: 'gateway',
    command: [file, ...args, '--config', options.configDirectory, '--state', options.stateDirectory],
    ...(options.env && { env: options.env }),
    ownGroup: options.ownGroup ?? false,
  })
  const limit = options.limit ?? 30_000
  if (await isReady(gateway, options.statusPort, limit, options.signal)) return gateway

  const ended = gateway.hasExited
  const { code, signal } = await gateway.stop()
  options.signal?.throwIfAborted()
  const reason = ended ? `ended with ${signal ?? `exit code ${code}`}` : `was not ready within ${limit} ms`
  throw new Error(`the gateway ${reason}; it wrote:\n${gateway.output().trim() || '(nothing)'}`)
}

/** Polls, as a load balancer does: readiness is promised by /readyz and nothing else. */
async function isReady(
  gateway: Program,
  statusPort: number,
  limit: number,
  signal?: AbortSignal,
): Promise<boolean> {
  const deadline = performance.now() + limit
  while (performance.now() < deadline && !gateway.hasExited && !signal?.aborted) {
    const response = await fetch(`http://127.0.0.1:${statusPort}/readyz`, {
      signal: AbortSignal.timeout(1_000),
    }).catch(() => undefined)
    await response?.body?.cancel()
    if (response?.status === 200) return true
    await sleep(20)
  }
  return false
}
