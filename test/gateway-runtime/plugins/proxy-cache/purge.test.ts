import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { startGateway, type TestGateway } from '../../../support/gateway.ts'
import { startUpstream, type Upstream } from '../../../support/upstream.ts'

let upstream: Upstream
let gateway: TestGateway
let onSlow = (_answer: () => void): void => {}

beforeAll(async () => {
  let count = 0
  upstream = await startUpstream((request, response) => {
    const headers = {
      'cache-control': 'max-age=100',
      vary: 'accept',
      'cache-tag': `all, tag${request.url![1]}`,
    }
    const answer = () => response.writeHead(200, headers).end(String(++count))
    if (request.url === '/slow') onSlow(answer)
    else answer()
  })
  gateway = await startGateway({
    config: {
      workers: 2,
      services: [{ name: 'service', url: upstream.url, retries: 0 }],
      routes: [{ name: 'all', service: 'service', paths: ['/'] }],
      plugins: [{ name: 'proxy-cache', config: {} }],
    },
  })
})
afterAll(async () => {
  await gateway.stop()
  await upstream.stop()
})

const paths = ['/a/1', '/a/2', '/b/1?q=1']
const get = async (path: string) => {
  const response = await fetch(gateway.url + path)
  await response.text()
  return response.headers.get('cache-status')!.includes('hit')
}
const hits = () => Promise.all(paths.map(get))
const purge = async (...options: string[]) => {
  const { code, stdout, stderr } = await gateway.cli('cache', 'purge', ...options)
  return { code, text: stdout + stderr }
}

test('a URL, a prefix and a tag are forgotten, and nothing else', async () => {
  for (const [options, left] of [
    [
      ['--url', `${gateway.url.replace(/:\d+$/, '')}/a/1`],
      [false, true, true],
    ],
    [
      ['--url', '/b/1?q=1'],
      [true, true, false],
    ],
    [
      ['--url', '/b/1'],
      [true, true, true],
    ],
    [
      ['--prefix', '/a/'],
      [false, false, true],
    ],
    [
      ['--tag', 'tagb'],
      [true, true, false],
    ],
    [
      ['--tag', 'all'],
      [false, false, false],
    ],
  ] as const) {
    await hits()
    expect(await hits()).toEqual([true, true, true])
    expect(await purge(...options)).toMatchObject({ code: 0 })
    expect({ options, left: await hits() }).toEqual({ options, left })
  }
})

test('what is on its way while something is purged is not kept', async () => {
  const asked = new Promise<() => void>((resolve) => {
    onSlow = resolve
  })
  const first = get('/slow')
  const answer = await asked
  await purge('--prefix', '/')
  answer()
  await first
  onSlow = (now) => now()
  expect(await get('/slow')).toBe(false)
  expect(await get('/slow')).toBe(true)
})

test('what names nothing, or too much, is refused', async () => {
  expect(await purge()).toMatchObject({ code: 1, text: expect.stringContaining('--url, --prefix or --tag') })
  expect(await purge('--url', 'example.com')).toMatchObject({
    code: 1,
    text: expect.stringContaining('begin with'),
  })
})
