import { execFile } from 'node:child_process'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { clientFields } from './credentials.ts'
import type { LoadOptions, LoadResult } from './load.ts'
import { apiKey, pathOf, type Scenario } from './scenarios.ts'

const run = promisify(execFile)

const report = `
done = function(summary, latency)
  local e = summary.errors
  io.write(string.format(
    '\\nRESULT {"requests":%d,"duration":%d,"errors":%d,"p50":%d,"p99":%d}\\n',
    summary.requests, summary.duration, e.connect + e.read + e.write + e.status + e.timeout,
    latency:percentile(50), latency:percentile(99)))
end
`

const upload = (bytes: number) => `
wrk.method = 'POST'
wrk.headers['Content-Type'] = 'application/octet-stream'
wrk.body = string.rep('x', ${bytes})
`

/** Steps through all routes in an order that a cache of the last ones does not help with; both are coprime. */
const eachRoute = (routes: number) => `
local route = 0
request = function()
  route = (route + 61803) % ${routes}
  return wrk.format('GET', '/orders-' .. route .. '/17')
end
`

const withFields = (fields: Readonly<Record<string, string>>) =>
  Object.entries(fields)
    .map(([name, value]) => `wrk.headers['${name}'] = '${value}'\n`)
    .join('')

async function scriptOf(scenario: Scenario): Promise<string> {
  const { uploadBytes, routes, apiKey: hasKey, credentials } = scenario
  return [
    report,
    uploadBytes ? upload(uploadBytes) : '',
    routes > 1 ? eachRoute(routes) : '',
    credentials
      ? withFields(await clientFields(pathOf(scenario)))
      : hasKey
        ? withFields({ apikey: apiKey })
        : '',
  ].join('')
}

/** Sends HTTP/1.1 requests on each connection as fast as they are answered. */
export async function loadWithWrk(options: LoadOptions): Promise<LoadResult> {
  const { scenario, port, seconds } = options
  const script = join(options.directory, 'wrk.lua')
  await writeFile(script, await scriptOf(scenario))
  const [file, ...args] = options.pin
  const { stdout } = await run(
    file,
    [
      ...args,
      options.tool,
      '--threads=1',
      `--connections=${scenario.connections}`,
      `--duration=${seconds}s`,
      '--timeout=10s',
      `--script=${script}`,
      ...(scenario.use === 'one-request' ? ['--header=Connection: close'] : []),
      `${scenario.protocol}://127.0.0.1:${port}${pathOf(scenario)}`,
    ],
    { timeout: (seconds + 30) * 1_000 },
  )
  const result = /^RESULT (.+)$/m.exec(stdout)?.[1]
  if (!result) throw new Error(`wrk gave no result:\n${stdout}`)
  return JSON.parse(result)
}
