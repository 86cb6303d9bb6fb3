import { readFile, writeFile } from 'node:fs/promises'
import { Agent, request } from 'node:http'
import { join } from 'node:path'
import { afterEach, describe, expect, test } from '@jest/globals'
import { parse, stringify } from 'yaml'
import { eventually } from '../support/eventually.ts'
import { startGateway, type TestGateway } from '../support/gateway.ts'
import { echo, startUpstream } from '../support/upstream.ts'

const ended: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const end of ended.splice(0).reverse()) await end()
})

async function start(): Promise<TestGateway> {
  const upstream = await startUpstream(echo)
  ended.push(() => upstream.stop())
  const gateway = await startGateway({
    config: {
      services: [{ name: 'echo', url: upstream.url }],
      routes: [{ name: 'one', service: 'echo', paths: ['/one'] }],
      plugins: [],
    },
  })
  ended.push(() => gateway.stop())
  return gateway
}

/** Asks until it is told to stop, `clients` at a time, each request on a connection of its own or kept ones. */
function load(gateway: TestGateway, clients: number, keepAlive: boolean) {
  const agent = new Agent({ keepAlive, maxSockets: clients })
  const failures: string[] = []
  let answered = 0
  let going = true
  const ask = () =>
    new Promise<void>((resolve) => {
      const asked = request(`${gateway.url}/one`, { agent }, (answer) => {
        if (answer.statusCode !== 200) failures.push(`status ${answer.statusCode}`)
        answer.resume().on('end', () => {
          answered++
          resolve()
        })
      })
      asked.on('error', (error: NodeJS.ErrnoException) => {
        // A kept connection may be closed while it idles: RFC 9112, 9.3.1 lets the client ask again.
        if (!asked.reusedSocket) failures.push(error.message)
        resolve()
      })
      asked.end()
    })
  const running = Array.from({ length: clients }, async () => {
    while (going) await ask()
  })
  return {
    get answered() {
      return answered
    },
    async stop() {
      going = false
      await Promise.all(running)
      agent.destroy()
      return failures
    },
  }
}

const childrenOf = async (pid: number) =>
  (await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8').catch(() => ''))
    .trim()
    .split(' ')
    .filter(Boolean)

const isRunning = (pid: number) => {
  try {
    return process.kill(pid, 0)
  } catch {
    return false
  }
}

async function successorOf(gateway: TestGateway): Promise<number> {
  const pid = await eventually(
    'a new process',
    async () => Number((await childrenOf(gateway.process.pid))[0]) || undefined,
  )
  ended.push(async () => {
    if (isRunning(pid)) process.kill(pid, 'SIGTERM')
    await eventually('its end', () => !isRunning(pid))
  })
  return pid
}

// Without it the kernel resets connections that wait to be accepted by a socket that closes (ip-sysctl.rst).
const migrates = (await readFile('/proc/sys/net/ipv4/tcp_migrate_req', 'utf8').catch(() => '')).trim() === '1'

describe('SIGUSR2', () => {
  const takesOver = async (keepAlive: boolean) => {
    const gateway = await start()
    const clients = load(gateway, 8, keepAlive)
    await eventually('answers', () => clients.answered > 50)
    process.kill(gateway.process.pid, 'SIGUSR2')
    const pid = await successorOf(gateway)
    await eventually('the end of the old process', () => gateway.process.hasExited, 20_000)
    const before = clients.answered
    await eventually('answers of the new process', () => clients.answered > before + 50)
    expect(await clients.stop()).toEqual([])
    expect(isRunning(pid)).toBe(true)
    expect((await fetch(`${gateway.statusUrl}/readyz`)).status).toBe(200)
    expect((await gateway.cli('status', '--json')).code).toBe(0)
  }

  const title = 'lets a new process take over under load without a failure'
  test(`${title}, on kept connections`, () => takesOver(true))
  const each = `${title}, on a connection for each request`
  if (migrates) test(each, () => takesOver(false))
  else test.skip(`${each} (skipped: net.ipv4.tcp_migrate_req is 0)`, () => takesOver(false))

  test('leaves the process that runs where the new one cannot start', async () => {
    const gateway = await start()
    const file = join(gateway.configDirectory, 'config.yaml')
    const settings = parse(await readFile(file, 'utf8'))
    await writeFile(file, stringify({ ...settings, logs: { directory: '/dev/null/logs' } }))
    process.kill(gateway.process.pid, 'SIGUSR2')
    await eventually(
      'a line in error.log',
      async () => (await gateway.errorLog()).includes('did not take over'),
      20_000,
    )
    expect((await fetch(`${gateway.url}/one`)).status).toBe(200)
    expect((await fetch(`${gateway.statusUrl}/readyz`)).status).toBe(200)
    expect(gateway.process.hasExited).toBe(false)
  })
})
