import { execFile } from 'node:child_process'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'

const run = promisify(execFile)

/** What one run of wrk saw. Times in microseconds. */
export interface LoadResult {
  readonly requests: number
  readonly duration: number
  /** Broken connections, timeouts and answers other than 2xx and 3xx. */
  readonly errors: number
  readonly p50: number
  readonly p99: number
}

const report = `
done = function(summary, latency)
  local e = summary.errors
  io.write(string.format(
    '\\nRESULT {"requests":%d,"duration":%d,"errors":%d,"p50":%d,"p99":%d}\\n',
    summary.requests, summary.duration, e.connect + e.read + e.write + e.status + e.timeout,
    latency:percentile(50), latency:percentile(99)))
end
`

export interface LoadOptions {
  readonly wrk: string
  /** Put before the command: what pins it to a core. */
  readonly pin: readonly [file: string, ...args: string[]]
  readonly directory: string
  readonly url: string
  readonly connections: number
  readonly seconds: number
}

/** Sends requests over keep-alive connections as fast as they are answered. */
export async function load(options: LoadOptions): Promise<LoadResult> {
  const script = join(options.directory, 'report.lua')
  await writeFile(script, report)
  const [file, ...args] = options.pin
  const { stdout } = await run(
    file,
    [
      ...args,
      options.wrk,
      '--threads=1',
      `--connections=${options.connections}`,
      `--duration=${options.seconds}s`,
      '--timeout=5s',
      `--script=${script}`,
      options.url,
    ],
    { timeout: (options.seconds + 20) * 1_000 },
  )
  const result = /^RESULT (.+)$/m.exec(stdout)?.[1]
  if (!result) throw new Error(`wrk gave no result:\n${stdout}`)
  return JSON.parse(result)
}
