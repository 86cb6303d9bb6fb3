import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { afterEach, expect, test } from '@jest/globals'
import { type Bind, startBind } from '../../../support/bind.ts'
import { type Pebble, startPebble } from '../../../support/pebble.ts'
import { freePort } from '../../../support/ports.ts'
import { temporaryFolders } from '../../../support/temporary-folder.ts'
import { programForTests } from '../../../support/test-program.ts'

const named = await programForTests('named')
const pebbleProgram = await programForTests('pebble')
const testOrders = pebbleProgram.isInstalled ? named.test : pebbleProgram.test
const ended: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const end of ended.splice(0).reverse()) await end()
})
const newFolder = temporaryFolders()
const program = join(import.meta.dirname, '../../../../gateway-runtime/src/gateway-cli.ts')

/** What the check finds for a configuration with these domains. */
async function examine(acme: object, dnsServer?: string) {
  const folder = await newFolder()
  const config = {
    listeners: [{ host: '127.0.0.1', port: await freePort() }],
    admin: { port: await freePort() },
    services: [{ name: 'none', url: 'http://127.0.0.1:1' }],
    routes: [{ name: 'all', service: 'none', paths: ['/'] }],
    acme: { terms_of_service_agreed: true, ...acme },
    ...(dnsServer !== undefined && { dns: { servers: [dnsServer] } }),
  }
  await writeFile(join(folder, 'config.yaml'), JSON.stringify(config))
  const args = [program, '--config', folder, 'doctor', '--only', 'certificate-orders', '--json']
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] })
  const [output, [code]] = await Promise.all([text(child.stdout), once(child, 'exit')])
  return { code, findings: JSON.parse(output).checks[0].findings as object[] }
}

async function start(): Promise<{ bind: Bind; pebble: Pebble }> {
  const bind = await startBind(named.path, [
    'here IN A 127.0.0.1',
    'forbidden IN A 127.0.0.1',
    'forbidden IN CAA 0 issue ";"',
  ])
  ended.push(() => bind.stop())
  const pebble = await startPebble()
  ended.push(() => pebble.stop())
  return { bind, pebble }
}

testOrders(
  'each domain is told of, with what an order for it would fail at, and none is ordered',
  async () => {
    const { bind, pebble } = await start()
    const authorities = [{ directory: pebble.directory, ca: pebble.ca }]
    const domains = ['here.example.com', 'gone.example.com', 'forbidden.example.com']
    const { code, findings } = await examine({ authorities, domains }, bind.server)
    expect(code).toBe(1)
    expect(findings).toEqual([
      { result: 'pass', reason: `${pebble.directory} answers` },
      {
        result: 'fail',
        reason: expect.stringContaining('CAA records of forbidden.example.com let nobody issue'),
        mend: expect.stringContaining('add one'),
      },
      {
        result: 'fail',
        reason: 'gone.example.com has no address in the DNS',
        mend: expect.stringContaining('make an A or AAAA record'),
      },
      { result: 'pass', reason: expect.stringContaining('here.example.com') },
    ])
    expect(pebble.orders()).toBe(0)
  },
)

test('an authority that does not answer is told of', async () => {
  const directory = `https://127.0.0.1:${await freePort()}/dir`
  const { code, findings } = await examine({ authorities: [{ directory }] })
  expect(code).toBe(1)
  expect(findings).toEqual([
    {
      result: 'fail',
      reason: expect.stringContaining(`${directory} cannot be asked`),
      mend: expect.any(String),
    },
  ])
})
