import { readFile, writeFile } from 'node:fs/promises'
import type { ServerResponse } from 'node:http'
import { join } from 'node:path'
import { afterEach, describe, expect, test } from '@jest/globals'
import { eventually } from '../../../support/eventually.ts'
import { startGateway, type TestGateway } from '../../../support/gateway.ts'
import { echo, startUpstream, type Upstream } from '../../../support/upstream.ts'

const ended: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const end of ended.splice(0).reverse()) await end()
})

async function upstreamOf(...args: Parameters<typeof startUpstream>): Promise<Upstream> {
  const upstream = await startUpstream(...args)
  ended.push(() => upstream.stop())
  return upstream
}

async function gatewayFor(
  upstream: object,
  targets: readonly Upstream[],
  more: object = {},
): Promise<TestGateway> {
  const gateway = await startGateway({
    config: {
      upstreams: [{ name: 'u', targets: targets.map(({ target }) => ({ target })), ...upstream }],
      services: [{ name: 's', upstream: 'u' }],
      routes: [{ name: 'r', service: 's', paths: ['/'], strip_path: false }],
      ...more,
    },
  })
  ended.push(() => gateway.stop())
  return gateway
}

const loads = (upstreams: readonly Upstream[]) => upstreams.map(({ requests }) => requests.length)
const hashing = { algorithm: 'consistent-hashing' }

describe('least connections', () => {
  test('leaves a target alone that does not answer', async () => {
    const held: ServerResponse[] = []
    const slow = await upstreamOf((_, response) => void held.push(response))
    const quick = await upstreamOf(echo)
    const gateway = await gatewayFor({ algorithm: 'least-connections' }, [slow, quick])
    const answers: Promise<void>[] = []
    let answered = 0
    const ask = async () => {
      await (await fetch(gateway.url)).text()
      answered++
    }
    await eventually('a request that is held', () => {
      if (held.length > 0) return true
      answers.push(ask())
      return false
    })
    // Those that are under way still may be sent either way.
    await eventually('all other answers', () => answered + held.length === answers.length)
    const before = held.length
    for (let round = 0; round < 20; round++) await (await fetch(gateway.url)).text()
    expect(held.length).toBe(before)
    for (const response of held) response.end()
    await Promise.all(answers)
  })
})

describe('consistent hashing', () => {
  test('by a header keeps requests with the same value together, and falls back to the path', async () => {
    const upstreams = [await upstreamOf(), await upstreamOf(), await upstreamOf()]
    const hash = { hash_on: 'header', hash_on_header: 'X-Customer', hash_fallback: 'path' }
    const gateway = await gatewayFor({ ...hashing, ...hash }, upstreams)
    const ask = async (path: string, headers: Record<string, string>) => {
      const before = loads(upstreams)
      await (await fetch(gateway.url + path, { headers })).text()
      return loads(upstreams).findIndex((load, index) => load !== before[index])
    }
    const used = new Set<number>()
    for (let customer = 0; customer < 12; customer++) {
      const headers = { 'x-customer': `c${customer}` }
      const owner = await ask('/a', headers)
      expect(await ask('/b', headers)).toBe(owner)
      used.add(owner)
    }
    expect(used.size).toBeGreaterThan(1)
    expect(await ask('/same', {})).toBe(await ask('/same', {}))
  })

  test('by a cookie gives one to a client that has none, and goes by it', async () => {
    const upstreams = [await upstreamOf(), await upstreamOf(), await upstreamOf()]
    const gateway = await gatewayFor({ ...hashing, hash_on: 'cookie', hash_on_cookie: 'sticky' }, upstreams)
    const used = new Set<number>()
    for (let client = 0; client < 12; client++) {
      const before = loads(upstreams)
      const answer = await fetch(gateway.url)
      await answer.text()
      const [given] = answer.headers.getSetCookie()
      expect(given).toMatch(/^sticky=[\w-]{22}; Path=\/; HttpOnly; SameSite=Lax$/)
      const owner = loads(upstreams).findIndex((load, index) => load !== before[index])
      used.add(owner)
      for (let round = 0; round < 3; round++) {
        const again = await fetch(gateway.url, { headers: { cookie: `a=b; ${given!.split(';')[0]}; c=d` } })
        await again.text()
        expect(again.headers.getSetCookie()).toEqual([])
      }
      expect(loads(upstreams)[owner]).toBe(before[owner]! + 4)
    }
    expect(used.size).toBeGreaterThan(1)
  })

  test('by address sends one client to one target, and elsewhere when that is gone', async () => {
    const upstreams = [await upstreamOf(), await upstreamOf()]
    const gateway = await gatewayFor({ ...hashing, hash_on: 'ip' }, upstreams)
    for (let round = 0; round < 6; round++) await (await fetch(gateway.url)).text()
    expect(loads(upstreams).toSorted()).toEqual([0, 6])
    await upstreams.find(({ requests }) => requests.length === 6)!.stop()
    for (let round = 0; round < 6; round++) expect((await fetch(gateway.url)).status).toBe(200)
    expect(loads(upstreams)).toEqual([6, 6])
  })
})

test('a target that is added gets its weight bit by bit', async () => {
  const upstreams = [await upstreamOf(), await upstreamOf()]
  const gateway = await gatewayFor({ slow_start: '24h' }, upstreams.slice(0, 1))
  await (await fetch(gateway.url)).text()
  const file = join(gateway.configDirectory, 'config.yaml')
  const [first, second] = upstreams.map(({ target }) => `- target: ${target}\n`)
  await writeFile(
    file,
    (await readFile(file, 'utf8')).replace(first!, (line) => `${line}      ${second}`),
  )
  await eventually('a request at the new target', async () => {
    await (await fetch(gateway.url)).text()
    return upstreams[1]!.requests.length === 1
  })
  const before = loads(upstreams)
  for (let round = 0; round < 22; round++) await (await fetch(gateway.url)).text()
  expect(loads(upstreams)).toEqual([before[0]! + 20, before[1]! + 2])
})
