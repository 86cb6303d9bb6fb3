import { Agent, get } from 'node:http'
import { afterEach, describe, expect } from '@jest/globals'
import { eventually } from '../../support/eventually.ts'
import { startGateway } from '../../support/gateway.ts'
import { programForTests } from '../../support/test-program.ts'
import { startUpstream } from '../../support/upstream.ts'
import { metricOf, statusesOf } from './both-listeners.ts'

const slowhttptest = await programForTests('slowhttptest')

const ended: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const end of ended.splice(0).reverse()) await end()
})

const connections = 200
const large = Buffer.alloc(1_048_576, 'x')

async function start() {
  const upstream = await startUpstream((request, response) => {
    request.resume().once('end', () => response.end(request.url === '/large' ? large : 'here'))
  })
  ended.push(() => upstream.stop())
  const gateway = await startGateway({
    config: {
      limits: { header_timeout: '1s', body_timeout: '1s', body_rate_after: '1s', idle_timeout: '1s' },
      services: [{ name: 'service', url: upstream.url }],
      routes: [{ name: 'all', service: 'service', paths: ['/'] }],
    },
  })
  ended.push(() => gateway.stop())
  return gateway
}

/** Asks on a connection of its own, as somebody who comes just now; the status, or what went wrong. */
const visit = (url: string) =>
  new Promise<number | string>((resolve) => {
    const agent = new Agent({ keepAlive: false })
    const request = get(url, { agent, timeout: 5_000 }, (response) => {
      response.resume().once('end', () => resolve(response.statusCode!))
    })
    request.once('timeout', () => request.destroy(new Error('no answer within 5 s')))
    request.once('error', (error) => resolve(error.message))
  })

const attacks = {
  headers: ['-H', '-t', 'GET', '-x', '10', '-i', '1'],
  // A few bytes each second: never silent for long, yet slower than a client may be.
  body: ['-B', '-t', 'POST', '-s', '100000', '-x', '10', '-i', '1'],
  // What it does not read fills the buffers of the kernel and no more.
  answers: ['-X', '-t', 'GET', '-w', '256', '-y', '512', '-n', '1', '-z', '32'],
} as const

describe('slowhttptest', () => {
  for (const [kind, path] of [
    ['headers', '/'],
    ['body', '/'],
    ['answers', '/large'],
  ] as const) {
    slowhttptest.test(`keeps nobody out with slow ${kind}, and no connection`, async () => {
      const gateway = await start()
      const size = ['-c', String(connections), '-r', String(connections), '-l', '6', '-p', '5']
      let isOver = false
      const attack = slowhttptest
        .run([...attacks[kind], ...size, '-u', `${gateway.url}${path}`])
        .finally(() => {
          isOver = true
        })
      const answers: (number | string)[] = []
      const active: number[] = []
      while (!isOver) {
        answers.push(await visit(`${gateway.url}/`))
        active.push(await metricOf(gateway, 'gatehouse_connections_active'))
      }
      const report = (await attack).stdout.toString()
      expect(answers.filter((answer) => answer !== 200)).toEqual([])
      expect(Math.max(...active)).toBeGreaterThan(connections / 10) // or it was no attack
      // It was the gateway that closed, before the attack was over.
      if (kind === 'answers') expect(active.at(-1)).toBeLessThan(connections / 10)
      else expect(report).toContain('No open connections left')
      expect((await statusesOf(gateway))[408] ?? 0).toBe(kind === 'answers' ? 0 : connections)
      const none = async () => (await metricOf(gateway, 'gatehouse_connections_active')) === 0
      await eventually('all connections have gone', none)
    })
  }
})
