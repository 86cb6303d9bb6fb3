import { writeFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { afterEach, expect, test } from '@jest/globals'
import { compile, loadConfiguration } from '../../../gateway-runtime/src/config/index.ts'
import { renderMetrics } from '../../../gateway-runtime/src/control-plane/metrics-text.ts'
import { Supervisor } from '../../../gateway-runtime/src/control-plane/supervisor.ts'
import { ErrorLog } from '../../../gateway-runtime/src/telemetry/error-log.ts'
import { eventually } from '../../support/eventually.ts'
import { freePorts } from '../../support/ports.ts'
import { temporaryFolders } from '../../support/temporary-folder.ts'
import { startUpstream } from '../../support/upstream.ts'

const newFolder = temporaryFolders()
const worker = new URL('../../../gateway-runtime/src/worker.ts', import.meta.url)
const ended: (() => unknown)[] = []
afterEach(async () => {
  for (const end of ended.splice(0).reverse()) await end()
})

/** The real worker, with a port on which a connection ends the first one as a crash would. */
async function mortalWorker(folder: string, port: number): Promise<URL> {
  const script = join(folder, 'worker.mjs')
  await writeFile(
    script,
    `import { createServer } from 'node:net'
import { parentPort } from 'node:worker_threads'
await import(${JSON.stringify(worker.href)})
parentPort.once('message', ({ settings }) => {
  if (settings.index === 0) createServer(() => process.exit(1)).listen(${port}, '127.0.0.1').unref()
})`,
  )
  return pathToFileURL(script)
}

test('a worker that dies is replaced, the others go on, and what was counted stays', async () => {
  const [http, mortal] = (await freePorts(2)) as [number, number]
  const folder = await newFolder()
  const upstream = await startUpstream()
  ended.push(() => upstream.stop())
  const config = {
    listeners: [{ host: '127.0.0.1', port: http }],
    services: [{ name: 'echo', url: `http://orders.test:${upstream.port}` }],
    routes: [{ name: 'all', service: 'echo', paths: ['/'] }],
  }
  await writeFile(join(folder, 'config.yaml'), JSON.stringify(config))
  const errorLog = new ErrorLog(folder)
  ended.push(() => errorLog.close())
  const settings = { workers: 2, logDirectory: folder }
  const supervisor = new Supervisor(settings, await mortalWorker(folder, mortal), errorLog, {
    ticketKeys: Buffer.alloc(48),
    addresses: new Map([['orders.test', ['127.0.0.1']]]),
    shared: undefined,
  })
  ended.push(() => supervisor.stop())
  const ask = async () =>
    (await fetch(`http://127.0.0.1:${http}/`, { headers: { connection: 'close' } })).status

  await supervisor.apply(compile(loadConfiguration(folder).configuration), {
    pem: new Map(),
    certificates: [],
  })
  expect(supervisor.status).toMatchObject({ ready: true, restarts: 0 })
  for (let round = 0; round < 10; round++) expect(await ask()).toBe(200)

  const killer = await eventually(
    'the port of the worker',
    () =>
      new Promise<ReturnType<typeof connect> | undefined>((resolve) => {
        const socket = connect(mortal, '127.0.0.1', () => resolve(socket)).on('error', () =>
          resolve(undefined),
        )
      }),
  )
  killer.destroy()
  await eventually('the new worker', () => supervisor.status.restarts === 1 && supervisor.status.ready)
  for (let round = 0; round < 20; round++) expect(await ask()).toBe(200)
  expect(upstream.requests).toHaveLength(30)
  const reloads = { accepted: 1, rejected: 0, lastSucceeded: true }
  const facts = {
    version: '',
    workers: 2,
    workerRestarts: 1,
    reloads,
    names: new Map(),
    redis: undefined,
    certificates: [],
    plugins: [],
    logExports: [],
  }
  expect(renderMetrics(supervisor.memory, supervisor.snapshot, facts)).toContain(
    'requests_total{code="200"} 30',
  )
})
