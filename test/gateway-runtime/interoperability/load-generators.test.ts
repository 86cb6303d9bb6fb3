import { afterEach, describe, expect } from '@jest/globals'
import { temporaryFolders } from '../../support/temporary-folder.ts'
import { programForTests } from '../../support/test-program.ts'
import { startUpstream } from '../../support/upstream.ts'
import { type GatewayWithBothListeners, startWithBothListeners, statusesOf } from './both-listeners.ts'

const wrk = await programForTests('wrk')
const h2load = await programForTests('h2load')

const newFolder = temporaryFolders()
const ended: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const end of ended.splice(0).reverse()) await end()
})

async function start(config: object = {}): Promise<GatewayWithBothListeners> {
  const upstream = await startUpstream((_, response) => void response.end('{"id":17}'))
  ended.push(() => upstream.stop())
  const started = await startWithBothListeners(await newFolder(), upstream.url, config)
  ended.push(() => started.gateway.stop())
  return started
}

const numberIn = (text: string, pattern: RegExp) => Number(pattern.exec(text)?.[1] ?? Number.NaN)

/** None but 200, and requests that a client had under way when it stopped. */
async function onlySuccess({ gateway }: GatewayWithBothListeners): Promise<void> {
  const { 200: answered, 499: _left, ...others } = await statusesOf(gateway)
  expect(answered).toBeGreaterThan(0)
  expect(others).toEqual({})
}

/** Connections that last, and connections that the gateway closes in orderly fashion after 100 requests. */
const lifetimes = [
  ['', {}],
  [', on connections that the gateway retires', { limits: { connection_requests: 100 } }],
] as const

describe('wrk', () => {
  for (const [lifetime, config] of lifetimes) {
    for (const scheme of ['plain', 'secure'] as const) {
      wrk.test(`meets no error with HTTP/1.1, ${scheme}${lifetime}`, async () => {
        const started = await start(config)
        const { code, stdout } = await wrk.run(['-t1', '-c16', '-d1s', `${started[scheme]}/`])
        const report = stdout.toString()
        expect(code).toBe(0)
        expect(report).not.toMatch(/Socket errors|Non-2xx/)
        expect(numberIn(report, /(\d+) requests in/)).toBeGreaterThan(0)
        await onlySuccess(started)
      })
    }
  }
})

describe('h2load', () => {
  // It sends on where the gateway has said GOAWAY, and counts that as failed: connections last.
  for (const [name, args, scheme] of [
    ['HTTP/2 with prior knowledge', ['--max-concurrent-streams=10'], 'plain'],
    ['HTTP/2 over TLS', ['--max-concurrent-streams=10'], 'secure'],
    ['HTTP/1.1 over TLS', ['--h1'], 'secure'],
  ] as const) {
    h2load.test(`meets no error with ${name}`, async () => {
      const started = await start()
      const { code, stdout } = await h2load.run(['-D1', '-c8', ...args, `${started[scheme]}/`])
      const report = stdout.toString()
      expect(code).toBe(0)
      expect(report).toMatch(/, 0 failed, 0 errored, 0 timeout$/m)
      expect(report).toMatch(/^status codes: [1-9]\d* 2xx, 0 3xx, 0 4xx, 0 5xx$/m)
      await onlySuccess(started)
    })
  }
})
