import type { Report } from './report.ts'
import { type BenchOptions, bench } from './run.ts'

/** Peers beside the base that run at once. */
const groupSize = 6

/**
 * Measures many peers a few at a time, each group with a base of its own: what is compared is measured within seconds,
 * and what does not take part does not disturb. The figures of the base are those of the first group.
 */
export async function benchInGroups(options: BenchOptions): Promise<Report> {
  const base = options.peers.filter(({ name }) => name === options.base)
  const others = options.peers.filter(({ name }) => name !== options.base)
  const reports: Report[] = []
  for (let first = 0; first < Math.max(others.length, 1); first += groupSize) {
    const group = new Set([...base, ...others.slice(first, first + groupSize)])
    const peers = options.peers.filter((peer) => group.has(peer))
    reports.push(await bench({ ...options, peers }))
  }
  const [report, ...more] = reports as [Report, ...Report[]]
  return {
    ...report,
    peers: [
      ...report.peers,
      ...more.flatMap(({ peers }) => peers.filter(({ name }) => name !== options.base)),
    ],
    unable: reports.flatMap(({ unable }) => unable),
    failed: reports.flatMap(({ failed }) => failed),
  }
}
