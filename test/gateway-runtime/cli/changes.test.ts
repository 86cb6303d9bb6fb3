import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { eventually } from '../../support/eventually.ts'
import { startGateway, type TestGateway } from '../../support/gateway.ts'
import { freePorts } from '../../support/ports.ts'
import { startUpstream, type Upstream } from '../../support/upstream.ts'

let upstream: Upstream
let gateway: TestGateway
let listenPort: number

beforeAll(async () => {
  upstream = await startUpstream()
  ;[listenPort] = (await freePorts(1)) as [number]
  gateway = await startGateway({
    config: {
      logs: {
        directory: '../logs',
        export: [{ host: '127.0.0.1', port: listenPort, format: 'syslog', interval: 20 }],
      },
      services: [{ name: 'orders', upstream: 'orders', retries: 2 }],
      routes: [{ name: 'orders', service: 'orders', paths: ['/'] }],
      upstreams: [{ name: 'orders', targets: [{ target: upstream.target }] }],
      consumers: [{ name: 'anna' }],
    },
  })
  await eventually('its start', async () => (await gateway.errorLog()).includes('gateway started'))
})
afterAll(async () => {
  await gateway?.stop()
  await upstream?.stop()
})

const json = async (...args: string[]) => {
  const { code, stdout, stderr } = await gateway.cli(...args, '--json')
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
  return JSON.parse(stdout)
}

test('update changes single keys, in force and in the files', async () => {
  const changed = await json('services', 'update', 'orders', '--set', 'retries=1', '--set', 'tags=[team-a]')
  expect(changed).toMatchObject({ name: 'orders', retries: 1, tags: ['team-a'] })
  expect(await json('services', 'update', 'orders', '--unset', 'retries')).not.toHaveProperty('retries')
  const refused = await gateway.cli('services', 'update', 'orders', '--set', 'retries=many')
  expect(refused).toMatchObject({ code: 1, stderr: expect.stringMatching(/retries/) })
  expect(await gateway.cli('services', 'update', 'orders')).toMatchObject({ code: 2 })
})

test('targets are added, weighted and taken away', async () => {
  await json('targets', 'add', 'orders', '127.0.0.1:9', '--weight', '10')
  expect(await json('targets', 'update', 'orders', '127.0.0.1:9', '--weight', '0')).toEqual([
    { target: upstream.target },
    { target: '127.0.0.1:9', weight: 0 },
  ])
  expect((await gateway.cli('targets', 'list', 'orders')).stdout).toMatch(/127\.0\.0\.1:9 +0/)
  await json('targets', 'delete', 'orders', '127.0.0.1:9')
  const refused = await gateway.cli('targets', 'delete', 'orders', '127.0.0.1:9')
  expect(refused).toMatchObject({ code: 1, stderr: expect.stringMatching(/has no target/) })
})

test('credentials are added without their secret, and taken away', async () => {
  const added = await gateway.cli(
    'credentials',
    'add',
    'anna',
    'key-auth',
    '--set',
    'key=key-of-anna-0123456789',
  )
  expect(added).toMatchObject({ code: 0, stderr: '' })
  expect(added.stdout).toMatch(/key-auth +1/)
  expect(JSON.stringify(await json('config', 'export', '--show-secrets'))).not.toContain('key-of-anna')
  const [before] = (await json('credentials', 'list', 'anna'))['key-auth']
  expect(await json('credentials', 'get', 'anna', 'key-auth', '1')).toEqual(before)
  const hashes = async () => {
    const { consumers } = await json('config', 'export', '--show-secrets')
    return consumers[0].credentials['key-auth'].map(({ hash }: { hash: string }) => hash)
  }
  const [hash] = await hashes()
  const other = 'key=other-key-of-anna-0123456789'
  const changed = await json('credentials', 'update', 'anna', 'key-auth', '1', '--set', other)
  expect(changed['key-auth']).toHaveLength(1)
  expect(await hashes()).toEqual([expect.stringMatching(/^sha256:/)])
  expect(await hashes()).not.toEqual([hash])
  expect(JSON.stringify(await json('config', 'export', '--show-secrets'))).not.toContain('key-of-anna')
  expect(await gateway.cli('credentials', 'get', 'anna', 'key-auth', '2')).toMatchObject({
    code: 1,
    stderr: expect.stringMatching(/has no key-auth 2; gateway-cli credentials list/),
  })
  expect(await json('credentials', 'delete', 'anna', 'key-auth', '1')).toEqual({ 'key-auth': [] })
})

test('top shows what routes do', async () => {
  const asking = setInterval(() => void fetch(gateway.url).then((answer) => answer.arrayBuffer()), 50)
  const [rates] = await json('top', '--interval', '1', '--count', '1').finally(() => clearInterval(asking))
  expect(rates).toMatchObject({ route: 'orders', error_percent: 0 })
  expect(rates.requests_per_second).toBeGreaterThan(0)
})

test('trace shows the steps of one request, and nobody else may ask for them', async () => {
  await json('plugins', 'add', 'correlation-id')
  const traced = await json('trace', `${gateway.url}/traced`)
  expect(traced).toMatchObject({
    status: 200,
    route: 'orders',
    service: 'orders',
    attempts: [{ status: 200 }],
  })
  expect(traced.plugins.map(({ plugin }: { plugin: string }) => plugin)).toContain('correlation-id')
  const seen = upstream.requests.find(({ url }) => url === '/traced')
  expect(seen?.headers).not.toHaveProperty('x-gatehouse-trace')
  expect((await gateway.cli('trace', `${gateway.url}/again`)).stdout).toMatch(/TOOK.*\n(.*\n)*.*: 200/)
  expect(await gateway.cli('trace', 'ftp://nowhere')).toMatchObject({ code: 1 })
})

test('logs --listen shows what a gateway exports', async () => {
  const program = join(import.meta.dirname, '../../../gateway-runtime/src/gateway-cli.ts')
  const args = [
    '--config',
    gateway.configDirectory,
    'logs',
    '--listen',
    String(listenPort),
    '--search',
    '/exported',
  ]
  const listener = spawn(process.execPath, [program, ...args])
  let text = ''
  listener.stdout.setEncoding('utf8').on('data', (piece) => {
    text += piece
  })
  try {
    await (await fetch(`${gateway.url}/exported`)).arrayBuffer()
    await eventually('the line', () => / 200 GET \/exported route=orders\n/.test(text), 20_000)
  } finally {
    listener.kill()
  }
}, 30_000)
