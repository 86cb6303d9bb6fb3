import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { afterEach, describe, expect } from '@jest/globals'
import { Agent } from 'undici'
import { startGateway } from '../../support/gateway.ts'
import { freePort } from '../../support/ports.ts'
import { temporaryFolders } from '../../support/temporary-folder.ts'
import { programForTests } from '../../support/test-program.ts'
import { type Echo, startUpstream } from '../../support/upstream.ts'
import { startServerProgram } from './server-program.ts'

const haproxy = await programForTests('haproxy')

const newFolder = temporaryFolders()
const ended: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const end of ended.splice(0).reverse()) await end()
})

/** Milliseconds after which haproxy closes a connection that is not used, without a word. */
const patience = 50

const configuration = (port: number, target: string) => `
global
  nbthread 1
defaults
  mode http
  http-reuse always
  timeout connect 5s
  timeout client 10s
  timeout server 10s
  timeout http-keep-alive ${patience}ms
frontend clients
  bind 127.0.0.1:${port}
  default_backend service
backend service
  server one ${target}
`

async function start() {
  const folder = await newFolder()
  const upstream = await startUpstream()
  ended.push(() => upstream.stop())
  const port = await freePort()
  const file = join(folder, 'haproxy.cfg')
  await writeFile(file, configuration(port, upstream.target))
  const server = await startServerProgram('haproxy', [haproxy.path, '-db', '-f', file], port)
  ended.push(() => server.stop())
  const gateway = await startGateway({
    config: {
      services: [{ name: 'haproxy', url: `http://127.0.0.1:${port}` }],
      routes: [{ name: 'all', service: 'haproxy', paths: ['/'] }],
    },
  })
  ended.push(() => gateway.stop())
  const agent = new Agent({ connections: 50 })
  ended.push(() => agent.destroy())
  return async (path: string) => {
    const answer = await agent.request({ origin: gateway.url, path, method: 'GET' })
    const text = await answer.body.text()
    expect({ path, status: answer.statusCode }).toEqual({ path, status: 200 })
    expect((JSON.parse(text) as Echo).url).toBe(path)
  }
}

describe('haproxy behind the gateway', () => {
  haproxy.test('fails none of 300 requests in turn', async () => {
    const ask = await start()
    for (let index = 0; index < 300; index++) await ask(`/${index}`)
  })

  haproxy.test('fails none of 300 requests at once', async () => {
    const ask = await start()
    await Promise.all(Array.from({ length: 300 }, (_, index) => ask(`/${index}`)))
  })

  haproxy.test('fails no request that comes just when it closes the connection', async () => {
    const ask = await start()
    const inTurn = async (client: number) => {
      for (let index = 0; index < 30; index++) {
        await ask(`/${client}/${index}`)
        // Not to await something: the pause is what brings request and close together, a little different each time.
        await pause(patience - 7 + ((client + index) % 15))
      }
    }
    await Promise.all(Array.from({ length: 10 }, (_, client) => inTurn(client)))
  })
})
