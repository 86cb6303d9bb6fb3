import { createServer } from 'node:net'
import { loadConfiguration } from '@gatehouse/gateway-runtime/config'
import { afterEach, describe, expect, test } from '@jest/globals'
import type { Finding, Surroundings } from '../../../../gateway-runtime/src/cli/doctor/check.ts'
import { networkChecks } from '../../../../gateway-runtime/src/cli/doctor/network-checks.ts'
import { prerequisiteChecks } from '../../../../gateway-runtime/src/cli/doctor/prerequisite-checks.ts'
import { storageChecks } from '../../../../gateway-runtime/src/cli/doctor/storage-checks.ts'
import { storeChecks } from '../../../../gateway-runtime/src/cli/doctor/store-checks.ts'
import { type System, systemAt } from '../../../../gateway-runtime/src/cli/doctor/system.ts'
import { startPostgres } from '../../../../scripts/process/postgres.ts'
import { startGateway } from '../../../support/gateway.ts'
import { startKms } from '../../../support/kms.ts'
import { freePort } from '../../../support/ports.ts'
import { programForTests } from '../../../support/test-program.ts'
import { startUpstream } from '../../../support/upstream.ts'

const ended: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const end of ended.splice(0).reverse()) await end()
})

/** What a check finds with this configuration, on a host that is as `system` says. */
async function find(id: string, config: object, system: Partial<System> = {}): Promise<Finding[]> {
  const contents = new Map([['config.yaml', JSON.stringify(config)]])
  const surroundings: Surroundings = {
    system: { ...systemAt('/nowhere'), ...system },
    loaded: loadConfiguration('/etc/gateway', { contents }),
    problem: undefined,
    status: undefined,
    virtualIp: undefined,
    nodes: [],
  }
  const checks = [...storeChecks, ...prerequisiteChecks, ...networkChecks, ...storageChecks]
  const found = await checks.find((check) => check.id === id)!.run(surroundings)
  return 'result' in found ? [found] : [...found]
}

describe('the log collector', () => {
  const collectedBy = (port: number, protocol = 'tcp') => ({
    logs: { export: [{ protocol, host: '127.0.0.1', port }] },
  })

  test('is reached, or not, or answers nobody', async () => {
    const collector = createServer((socket) => socket.destroy())
    await new Promise<void>((resolve) => collector.listen(0, '127.0.0.1', resolve))
    ended.push(() => new Promise((resolve) => collector.close(resolve)))
    const { port } = collector.address() as { port: number }
    expect(await find('collector', collectedBy(port))).toMatchObject([
      { result: 'pass', reason: `127.0.0.1:${port} (tcp) takes connections` },
    ])
    const closed = await freePort()
    expect(await find('collector', collectedBy(closed))).toMatchObject([
      { result: 'fail', mend: expect.stringContaining('collector runs') },
    ])
    const url = `http://127.0.0.1:${closed}/v1/logs`
    expect(await find('collector', { logs: { export: [{ protocol: 'otlp', url }] } })).toMatchObject([
      { result: 'fail', reason: expect.stringContaining(`127.0.0.1:${closed} (otlp)`) },
    ])
    expect(await find('collector', collectedBy(closed, 'udp'))).toMatchObject([{ result: 'unseen' }])
    expect(await find('collector', {})).toMatchObject([{ result: 'pass' }])
  })
})

const { test: testWithPostgres } = await programForTests('pg_createcluster')
testWithPostgres('Postgres answers, or does not', async () => {
  const postgres = await startPostgres()
  ended.push(() => postgres.stop())
  const config = { store: 'postgres', postgres: { url: postgres.url } }
  // A slow machine is warned of.
  expect(await find('postgres', config)).toMatchObject([
    { result: expect.stringMatching(/^(pass|warn)$/), reason: expect.stringMatching(/answers in \d+ ms/) },
  ])
  expect(await find('store', config)).toMatchObject([{ result: 'unseen' }])
  const wrong = postgres.url.replace('gateway@', 'nobody@')
  expect(await find('postgres', { postgres: { url: wrong } })).toMatchObject([
    { result: 'fail', reason: expect.stringContaining('nobody') },
  ])
  await postgres.kill()
  expect(await find('postgres', config)).toMatchObject([
    { result: 'fail', reason: expect.stringContaining('ECONNREFUSED') },
  ])
})

test('KMS makes and opens data keys, or says why not', async () => {
  const credentials = { AWS_ACCESS_KEY_ID: 'test', AWS_SECRET_ACCESS_KEY: 'test' }
  const before = { ...process.env }
  Object.assign(process.env, credentials)
  ended.push(async () => {
    for (const name of Object.keys(credentials)) {
      if (before[name] === undefined) delete process.env[name]
      else process.env[name] = before[name]
    }
  })
  const kms = await startKms()
  ended.push(async () => kms.stop())
  const key = kms.createKey()
  const config = { certificate_store: { kms: { key, endpoint: kms.url } } }
  expect(await find('kms', config)).toMatchObject([
    { result: 'pass', reason: expect.stringContaining(`${key} makes and opens data keys`) },
  ])
  expect(kms.calls).toEqual(['GenerateDataKey', 'Decrypt'])
  kms.mode = 'denies'
  expect(await find('kms', config)).toMatchObject([
    {
      result: 'fail',
      reason: expect.stringContaining('AWS KMS'),
      mend: expect.stringContaining('GenerateDataKey'),
    },
  ])
  expect(await find('kms', {})).toMatchObject([{ result: 'pass', reason: 'not configured' }])
})

test.each([
  ['0000000000000400', 'pass', 'may listen on 80'],
  ['0000000000000000', 'warn', 'may not listen on 80'],
])('capabilities %s: %s', async (capabilities, result, reason) => {
  const listeners = [{ port: 80 }, { port: 8_080 }]
  const read = (path: string) => (path.endsWith('/status') ? `CapEff:\t${capabilities}\n` : undefined)
  const found = await find('privileges', { listeners }, { read })
  expect(found).toMatchObject([{ result, reason: expect.stringContaining(reason) }])
  expect(await find('privileges', { listeners: [{ port: 8_080 }] }, { read })).toMatchObject([
    { result: 'pass' },
  ])
})

test('programs that are missing are told, with what they are for', async () => {
  const run = async (program: string) => (program === 'kubectl' ? 'Client Version: v1.31.0\n' : undefined)
  expect(await find('programs', {}, { run })).toMatchObject([
    { result: 'warn', mend: 'apt-get install openssl' },
    { result: 'pass', reason: 'Client Version: v1.31.0' },
    { result: 'pass', reason: expect.stringMatching(/needed only for containers: containerd$/) },
  ])
})

test('a path that takes less than its link is told', async () => {
  const config = {
    services: [{ name: 'far', url: 'http://10.9.0.1' }],
    routes: [{ name: 'far', service: 'far', paths: ['/'] }],
  }
  const list = (path: string) => (path === '/sys/class/net' ? ['eth0'] : [])
  const read = (path: string) => (path === '/sys/class/net/eth0/mtu' ? '1500\n' : undefined)
  const route = '10.9.0.1 via 10.0.0.1 dev eth0 src 10.0.0.2 uid 0 \\    cache'
  const learned = await find('mtu', config, {
    list,
    read,
    run: async () => `${route} expires 590sec mtu 1400`,
  })
  expect(learned).toMatchObject([
    { result: 'warn', reason: 'the path to 10.9.0.1 takes 1400 bytes, eth0 sends 1500' },
  ])
  expect(await find('mtu', config, { list, read, run: async () => route })).toMatchObject([
    { result: 'pass' },
  ])
})

test('answers of the gateway are counted by route and status', async () => {
  const upstream = await startUpstream()
  ended.push(upstream.stop)
  const gateway = await startGateway({
    config: {
      services: [
        { name: 'gone', url: `http://127.0.0.1:${await freePort()}`, retries: 0 },
        { name: 'well', url: upstream.url },
      ],
      routes: [
        { name: 'gone', service: 'gone', paths: ['/gone'] },
        { name: 'limited', service: 'well', paths: ['/limited'] },
      ],
      plugins: [{ name: 'rate-limiting', route: 'limited', config: { limit: 1, period: 'hour' } }],
    },
  })
  ended.push(gateway.stop)
  for (const path of ['/gone', '/gone', '/limited', '/limited']) await fetch(`${gateway.url}${path}`)
  await gateway.process.stop()
  const { stdout } = await gateway.cli('doctor', '--json', '--only', 'recent-errors')
  const [{ findings }] = JSON.parse(stdout).checks
  expect(findings).toMatchObject([
    { reason: '429: 1 times on route limited' },
    { reason: '502: 2 times on route gone', mend: expect.stringContaining('systemctl status') },
  ])
}, 60_000)
