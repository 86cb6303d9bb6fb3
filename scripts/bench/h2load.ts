import { execFile } from 'node:child_process'
import { createReadStream } from 'node:fs'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { promisify } from 'node:util'
import type { LoadOptions, LoadResult } from './load.ts'
import { pathOf } from './scenarios.ts'

const run = promisify(execFile)

/** Sends requests over HTTP/2 on TLS, several at once on each connection, as fast as they are answered. */
export async function loadWithH2load(options: LoadOptions): Promise<LoadResult> {
  const { scenario, port, seconds } = options
  const log = join(options.directory, 'h2load.log')
  await rm(log, { force: true }) // it appends
  const [file, ...args] = options.pin
  const { stdout } = await run(
    file,
    [
      ...args,
      options.tool,
      `--clients=${scenario.connections}`,
      `--max-concurrent-streams=${scenario.streams}`,
      `--duration=${seconds}`,
      `--log-file=${log}`,
      '--npn-list=h2',
      `https://127.0.0.1:${port}${pathOf(scenario)}`,
    ],
    { timeout: (seconds + 30) * 1_000 },
  )
  const latencies = await readLatencies(log)
  return { ...readCounts(stdout), duration: seconds * 1_000_000, ...latencies }
}

/** How many requests were answered, and how many not or with 4xx or 5xx, from what h2load writes at its end. */
export function readCounts(output: string): Pick<LoadResult, 'requests' | 'errors'> {
  const requests = /^requests: .*?(\d+) succeeded, (\d+) failed, (\d+) errored, (\d+) timeout/m.exec(output)
  const codes = /^status codes: .*?(\d+) 4xx, (\d+) 5xx/m.exec(output)
  if (!requests || !codes) throw new Error(`h2load gave no result:\n${output}`)
  const [, succeeded, failed, errored, timeout] = requests.map(Number)
  // "failed" counts those with 4xx and 5xx and what was in "errored", too.
  return { requests: succeeded!, errors: Math.max(failed!, errored! + timeout!) }
}

/** The log has a line a request: its start, status and time, in microseconds. */
async function readLatencies(log: string): Promise<Pick<LoadResult, 'p50' | 'p99'>> {
  const times: number[] = []
  for await (const line of createInterface({ input: createReadStream(log) })) {
    const [, status, time] = line.split('\t').map(Number)
    if (status! > 0) times.push(time!)
  }
  const sorted = Float64Array.from(times).sort()
  const percentile = (part: number) =>
    sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? 0
  return { p50: percentile(0.5), p99: percentile(0.99) }
}
