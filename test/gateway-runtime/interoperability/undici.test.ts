import { readFile } from 'node:fs/promises'
import { afterEach, describe, expect, test } from '@jest/globals'
import { Agent, Client, fetch } from 'undici'
import { temporaryFolders } from '../../support/temporary-folder.ts'
import { type Echo, startUpstream } from '../../support/upstream.ts'
import { metricOf, startWithBothListeners } from './both-listeners.ts'

const newFolder = temporaryFolders()
const ended: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const end of ended.splice(0).reverse()) await end()
})

async function start() {
  const upstream = await startUpstream()
  ended.push(() => upstream.stop())
  const started = await startWithBothListeners(await newFolder(), upstream.url)
  ended.push(() => started.gateway.stop())
  return { ...started, upstream }
}

const accepted = 'gatehouse_connections_accepted_total'

describe('fetch of undici', () => {
  test('asks 200 times in turn on one connection', async () => {
    const { gateway, plain } = await start()
    const dispatcher = new Agent({ connections: 1 })
    ended.push(() => dispatcher.close())
    for (let index = 0; index < 200; index++) {
      const init = index % 2 === 0 ? {} : { method: 'POST', body: `body ${index}` }
      const response = await fetch(`${plain}/${index}`, { ...init, dispatcher })
      expect(response.status).toBe(200)
      const seen = (await response.json()) as Echo
      expect(seen).toMatchObject({ url: `/${index}`, body: index % 2 === 0 ? '' : `body ${index}` })
    }
    expect(await metricOf(gateway, accepted)).toBe(1)
  })

  test('gets decoded what the service has compressed', async () => {
    const { gzipSync } = await import('node:zlib')
    const text = 'compressed '.repeat(10_000)
    const upstream = await startUpstream((_, response) => {
      response.setHeader('content-encoding', 'gzip')
      response.end(gzipSync(text))
    })
    ended.push(() => upstream.stop())
    const { plain, gateway } = await startWithBothListeners(await newFolder(), upstream.url)
    ended.push(() => gateway.stop())
    const dispatcher = new Agent()
    ended.push(() => dispatcher.close())
    expect(await (await fetch(`${plain}/`, { dispatcher })).text()).toBe(text)
  })
})

describe('a client of undici', () => {
  test('has each of 300 requests answered in its place where it sends ten at once', async () => {
    const { gateway, plain } = await start()
    const client = new Client(plain, { pipelining: 10 })
    ended.push(() => client.close())
    const paths = Array.from({ length: 300 }, (_, index) => `/${index}`)
    const answers = await Promise.all(
      paths.map(async (path) => {
        const { statusCode, body } = await client.request({ method: 'GET', path })
        return { statusCode, url: ((await body.json()) as Echo).url }
      }),
    )
    expect(answers).toEqual(paths.map((url) => ({ statusCode: 200, url })))
    expect(await metricOf(gateway, accepted)).toBe(1)
  })

  test('has 300 requests at once answered over HTTP/2 on one connection', async () => {
    const { gateway, secure, authorityFile } = await start()
    const ca = await readFile(authorityFile)
    const client = new Client(secure, { allowH2: true, connect: { ca } })
    ended.push(() => client.close())
    const numbers = Array.from({ length: 300 }, (_, index) => index)
    const answers = await Promise.all(
      numbers.map(async (index) => {
        const body = `body ${index}`
        const answer = await client.request({ method: 'POST', path: `/${index}`, body })
        return { status: answer.statusCode, ...((await answer.body.json()) as Echo) }
      }),
    )
    expect(answers.map(({ status, url, body }) => ({ status, url, body }))).toEqual(
      numbers.map((index) => ({ status: 200, url: `/${index}`, body: `body ${index}` })),
    )
    expect(await metricOf(gateway, accepted)).toBe(1)
  })
})
