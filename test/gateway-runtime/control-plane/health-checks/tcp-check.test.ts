import { once } from 'node:events'
import { createServer, type Socket } from 'node:net'
import { afterEach, expect, test } from '@jest/globals'
import { tcpCheck } from '../../../../gateway-runtime/src/control-plane/health-checks/tcp-check.ts'
import { abortable, absentTarget, never, startedServers } from './servers.ts'

const servers = startedServers()
afterEach(() => servers.stopAll())

test('a target that takes connections is well, and is left at once', async () => {
  const server = createServer()
  const target = await servers.start(server)
  const connection = once(server, 'connection')
  await tcpCheck(target)(never())
  const [socket] = (await connection) as [Socket]
  socket.resume()
  await once(socket, 'close')
})

test('a target that takes none is not', async () => {
  await expect(tcpCheck(await absentTarget())(never())).rejects.toThrow('ECONNREFUSED')
})

test('a check that is given up ends', async () => {
  const { signal, abort } = abortable()
  const check = tcpCheck({ id: 'u/192.0.2.1:9', host: '192.0.2.1', port: 9, weight: 1 })(signal)
  abort()
  await expect(check).rejects.toThrow()
})
