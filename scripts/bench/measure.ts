import type { Program } from '../process/program.ts'
import { type LoadOptions, load } from './load.ts'
import { cpuTime, residentMemory } from './process-cost.ts'
import { type Spread, spread } from './statistics.ts'

/** A proxy that is compared. */
export interface Peer {
  readonly name: string
  readonly program: Program
  readonly port: number
}

/** One round against one peer. Times in microseconds, memory in bytes. */
interface Sample {
  readonly cpuPerRequest: number
  readonly requestsPerSecond: number
  readonly p50: number
  readonly p99: number
  readonly memory: number
}

export type PeerResult = { readonly name: string } & { readonly [figure in keyof Sample]: Spread }

export interface MeasureOptions {
  readonly load: Omit<LoadOptions, 'url' | 'seconds'>
  readonly rounds: number
  /** Length of a round. */
  readonly seconds: number
  readonly onRound: (round: number, peer: Peer) => void
}

/**
 * Loads the peers in turn, the order changing from round to round, so that a machine that gets slower or faster
 * does so for all. A round of half the length before that warms each up and is not counted.
 * Throws when a peer gives a single error: its figures would say nothing.
 */
export async function measure(peers: readonly Peer[], options: MeasureOptions): Promise<PeerResult[]> {
  for (const peer of peers) await sample(peer, options, Math.max(1, Math.round(options.seconds / 2)))
  const samples = new Map(peers.map((peer) => [peer, [] as Sample[]]))
  for (let round = 1; round <= options.rounds; round++) {
    for (const peer of round % 2 === 1 ? peers : peers.toReversed()) {
      options.onRound(round, peer)
      samples.get(peer)!.push(await sample(peer, options, options.seconds))
    }
  }
  return peers.map((peer) => summarize(peer.name, samples.get(peer)!))
}

async function sample(peer: Peer, options: MeasureOptions, seconds: number): Promise<Sample> {
  const before = await cpuTime(peer.program.pid)
  const url = `http://127.0.0.1:${peer.port}/orders/17`
  const { requests, duration, errors, p50, p99 } = await load({ ...options.load, url, seconds })
  const used = (await cpuTime(peer.program.pid)) - before
  if (errors > 0 || requests === 0) {
    throw new Error(`${peer.name} gave ${errors} errors in ${requests} requests; see its logs`)
  }
  return {
    cpuPerRequest: used / requests,
    requestsPerSecond: requests / (duration / 1_000_000),
    p50,
    p99,
    memory: await residentMemory(peer.program.pid),
  }
}

function summarize(name: string, samples: readonly Sample[]): PeerResult {
  const of = (figure: keyof Sample) => spread(samples.map((each) => each[figure]))
  return {
    name,
    cpuPerRequest: of('cpuPerRequest'),
    requestsPerSecond: of('requestsPerSecond'),
    p50: of('p50'),
    p99: of('p99'),
    memory: of('memory'),
  }
}
