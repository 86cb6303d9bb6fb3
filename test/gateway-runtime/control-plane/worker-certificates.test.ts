import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { afterEach, expect, test } from '@jest/globals'
import { compile, loadConfiguration } from '../../../gateway-runtime/src/config/index.ts'
import { Supervisor } from '../../../gateway-runtime/src/control-plane/supervisor.ts'
import { ErrorLog } from '../../../gateway-runtime/src/telemetry/error-log.ts'
import type { ServerCertificate } from '../../../gateway-runtime/src/worker-messages.ts'
import { type Authority, newAuthority } from '../../support/certificates.ts'
import { eventually } from '../../support/eventually.ts'
import { freePort } from '../../support/ports.ts'
import { temporaryFolders } from '../../support/temporary-folder.ts'
import { openTls } from '../../support/tls-client.ts'

const worker = new URL('../../../gateway-runtime/src/worker.ts', import.meta.url)
const ended: (() => unknown)[] = []
afterEach(async () => {
  for (const end of ended.splice(0).reverse()) await end()
})
const newFolder = temporaryFolders() // removed after what runs there has ended

/** The real worker; but the second one stands still at certificates until there is a file, as on a busy machine. */
async function slowWorker(folder: string, gate: string): Promise<URL> {
  const script = join(folder, 'worker.mjs')
  await writeFile(
    script,
    `import { existsSync } from 'node:fs'
import { parentPort } from 'node:worker_threads'
await import(${JSON.stringify(worker.href)})
const pause = new Int32Array(new SharedArrayBuffer(4))
parentPort.once('message', ({ settings }) => {
  if (settings.index !== 1) return
  parentPort.on('message', ({ type }) => {
    if (type === 'certificates') while (!existsSync(${JSON.stringify(gate)})) Atomics.wait(pause, 0, 0, 5)
  })
})`,
  )
  return pathToFileURL(script)
}

/** Two workers that are not given a configuration yet. */
async function start() {
  const [port, folder] = [await freePort(), await newFolder()]
  const config = {
    listeners: [{ host: '127.0.0.1', port, protocol: 'https', unknown_sni: 'refuse' }],
    services: [{ name: 'none', url: 'http://127.0.0.1:1' }],
    routes: [{ name: 'all', service: 'none', paths: ['/'] }],
    acme: { authorities: [{ directory: 'https://127.0.0.1:1/dir' }], terms_of_service_agreed: true },
  }
  await writeFile(join(folder, 'config.yaml'), JSON.stringify(config))
  const errorLog = new ErrorLog(folder)
  ended.push(() => errorLog.close())
  const gate = join(folder, 'go-on')
  const settings = { workers: 2, logDirectory: folder }
  const supervisor = new Supervisor(settings, await slowWorker(folder, gate), errorLog, {
    ticketKeys: Buffer.alloc(48),
    addresses: new Map(),
    shared: undefined,
  })
  ended.push(() => supervisor.stop())
  const material = { pem: new Map(), certificates: [] }
  return {
    port,
    supervisor,
    apply: () => supervisor.apply(compile(loadConfiguration(folder).configuration), material),
    goOn: () => writeFile(gate, ''),
  }
}

async function issue(authority: Authority, host: string): Promise<ServerCertificate> {
  return { name: host, hosts: [host], ...(await authority.issue({ dns: [host] })) }
}

test('what is known before the workers listen is shown by all of them from the first connection on', async () => {
  const { apply, port, supervisor } = await start()
  const authority = await newAuthority()
  supervisor.useOrderedCertificates([await issue(authority, 'a.example.com')])
  await apply()
  expect([...supervisor.shownHosts]).toEqual(['a.example.com'])
  const options = { ca: authority.certificate, servername: 'a.example.com' }
  const sockets = await Promise.all(Array.from({ length: 20 }, () => openTls(port, options)))
  for (const socket of sockets) socket.destroy()
})

test('a host counts as shown when the last worker shows it', async () => {
  const { apply, goOn, port, supervisor } = await start()
  ended.push(goOn) // a worker that stands still does not end
  const authority = await newAuthority()
  await apply()
  supervisor.useOrderedCertificates([await issue(authority, 'a.example.com')])
  const options = { ca: authority.certificate, servername: 'a.example.com' }
  const open = async () => (await openTls(port, options)).destroy()
  // One of many reaches the worker that goes on, and the certificate is there.
  await eventually('a worker shows it', () =>
    Promise.any(Array.from({ length: 20 }, open)).catch(() => undefined),
  )
  expect([...supervisor.shownHosts]).toEqual([])
  await goOn()
  await eventually('all show it', () => supervisor.shownHosts.has('a.example.com'))
  await Promise.all(Array.from({ length: 20 }, open))
})
