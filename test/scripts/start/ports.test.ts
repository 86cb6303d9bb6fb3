import { type AddressInfo, createServer, type Server } from 'node:net'
import { afterEach, describe, expect, test } from '@jest/globals'
import { freePort } from '../../../scripts/process/free-port.ts'
import { freeOffset, portHolder, takenPorts } from '../../../scripts/start/ports.ts'

const servers: Server[] = []

async function listen(host: string, port = 0, reusePort = false): Promise<number> {
  const server = createServer()
  servers.push(server)
  await new Promise<void>((resolve) => server.listen({ host, port, reusePort }, resolve))
  return (server.address() as AddressInfo).port
}

afterEach(async () => {
  for (const server of servers.splice(0)) await new Promise((resolve) => server.close(resolve))
})

describe('takenPorts', () => {
  test('leaves out what is free', async () => {
    expect(await takenPorts([{ port: await freePort(), what: 'nothing' }])).toEqual([])
  })

  test.each(['127.0.0.1', '0.0.0.0'])('finds a listener on %s, with what the port is for', async (host) => {
    const port = await listen(host)
    const taken = await takenPorts([{ port, what: 'admin API' }])
    expect(taken).toMatchObject([{ port, what: 'admin API' }])
  })

  test('finds a listener that would share its port', async () => {
    const port = await listen('127.0.0.1', 0, true)
    expect(await takenPorts([{ port, what: 'gateway' }])).toHaveLength(1)
  })

  const onLinux = process.platform === 'linux' ? test : test.skip
  const reason = process.platform === 'linux' ? '' : ' (skipped: only Linux tells who holds a port)'

  onLinux(`names the process that listens${reason}`, async () => {
    const port = await listen('127.0.0.1')
    const [taken] = await takenPorts([{ port, what: 'admin API' }])
    expect(taken?.holder).toMatch(new RegExp(`node.* \\(process ${process.pid}\\)$`))
  })
})

test('portHolder knows nobody for a port that is free', async () => {
  expect(await portHolder(await freePort())).toBeUndefined()
})

test('freeOffset goes past an offset where one of the ports is taken', async () => {
  const port = await freePort()
  await listen('127.0.0.1', port + 1_000)
  expect(await freeOffset([port])).toBeGreaterThan(1_000)
})
