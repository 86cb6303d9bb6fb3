import { readFile, rename, writeFile } from 'node:fs/promises'
import { connect as connectTcp, createServer } from 'node:net'
import { join } from 'node:path'
import { connect as connectTls, type TLSSocket } from 'node:tls'
import { afterEach, describe, expect, test } from '@jest/globals'
import {
  developmentAuthority,
  ensureServerCertificate,
} from '../../../scripts/start/development-certificates.ts'
import { eventually } from '../../support/eventually.ts'
import { startGateway, type TestGateway } from '../../support/gateway.ts'
import { freePort } from '../../support/ports.ts'
import { openRaw } from '../../support/raw-client.ts'
import { temporaryFolders } from '../../support/temporary-folder.ts'
import { echo, startUpstream, type Upstream } from '../../support/upstream.ts'

const ended: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const end of ended.splice(0).reverse()) await end()
})
const newFolder = temporaryFolders()

async function start(config: object = {}, handler = echo): Promise<[TestGateway, Upstream]> {
  const upstream = await startUpstream(handler)
  ended.push(() => upstream.stop())
  const gateway = await startGateway({
    config: {
      services: [{ name: 'echo', url: upstream.url }],
      routes: [{ name: 'one', service: 'echo', paths: ['/one'] }],
      ...config,
    },
  })
  ended.push(() => gateway.stop())
  return [gateway, upstream]
}

async function edit(gateway: TestGateway, change: (text: string) => string): Promise<void> {
  const file = join(gateway.configDirectory, 'config.yaml')
  await writeFile(file, change(await readFile(file, 'utf8')))
}

const statusOf = async (url: string) => {
  const answer = await fetch(url)
  await answer.body?.cancel()
  return answer.status
}
const metric = async (gateway: TestGateway, name: string) => {
  const text = await (await fetch(`${gateway.statusUrl}/metrics`)).text()
  return Number(
    text
      .split('\n')
      .find((line) => line.startsWith(`gatehouse_${name} `))
      ?.split(' ')[1],
  )
}

describe('the status port', () => {
  test('answers for health, readiness and metrics', async () => {
    const [gateway] = await start()
    await fetch(`${gateway.url}/one`, { method: 'POST', body: 'four' })
    await fetch(`${gateway.url}/nothing`)
    expect(await statusOf(`${gateway.statusUrl}/healthz`)).toBe(200)
    expect(await statusOf(`${gateway.statusUrl}/readyz`)).toBe(200)
    expect(await statusOf(`${gateway.statusUrl}/other`)).toBe(404)
    const text = await (await fetch(`${gateway.statusUrl}/metrics`)).text()
    expect(text).toContain('gatehouse_requests_total{code="200"} 1')
    expect(text).toContain('gatehouse_requests_total{code="404"} 1')
    expect(text).toContain('gatehouse_route_requests_total{route="one",service="echo",code="2xx"} 1')
    expect(text).toContain('gatehouse_route_request_bytes_total{route="one",service="echo"} 4')
    expect(text).toContain('gatehouse_route_request_duration_seconds_count{route="one",service="echo"} 1')
    for (const line of text.trim().split('\n')) expect(line).toMatch(/^(# (HELP|TYPE) )?gatehouse_[a-z_]+/)
  })
})

describe('a change on disk', () => {
  test('is in force without a restart', async () => {
    const [gateway] = await start()
    expect(await statusOf(`${gateway.url}/two`)).toBe(404)
    await edit(gateway, (text) =>
      text.replace('routes:', 'routes:\n  - { name: two, service: echo, paths: [/two] }'),
    )
    await eventually('the new route', async () => (await statusOf(`${gateway.url}/two`)) === 200)
    expect(await statusOf(`${gateway.url}/one`)).toBe(200)
  })

  test('that is wrong leaves the old configuration in force, and is said', async () => {
    const [gateway] = await start()
    await edit(gateway, (text) => text.replace('/one', 'no slash'))
    await eventually('the rejection', async () => (await metric(gateway, 'config_last_reload_success')) === 0)
    expect(await statusOf(`${gateway.url}/one`)).toBe(200)
    await eventually('the line', async () =>
      /configuration rejected.*config\.yaml:\d+:\d+/.test(await gateway.errorLog()),
    )
    await edit(gateway, (text) => text.replace('no slash', '/two'))
    await eventually('the mended one', async () => (await statusOf(`${gateway.url}/two`)) === 200)
    expect(await metric(gateway, 'config_last_reload_success')).toBe(1)
  })

  test('that asks for a port which is taken leaves everything as it was', async () => {
    const blocker = createServer()
    await new Promise<void>((resolve) => blocker.listen(0, '127.0.0.1', resolve))
    ended.push(async () => blocker.close())
    const { port } = blocker.address() as { port: number }
    const [gateway] = await start({ workers: 2 })
    await edit(gateway, (text) =>
      text.replace('listeners:', `listeners:\n  - { host: 127.0.0.1, port: ${port} }`),
    )
    await eventually('the rejection', async () => (await metric(gateway, 'config_last_reload_success')) === 0)
    expect(await statusOf(`${gateway.url}/one`)).toBe(200)
    expect(await statusOf(`${gateway.statusUrl}/readyz`)).toBe(200)
  })

  test('in the middle of which a file is empty leaves everything as it was, until the file is written', async () => {
    const [gateway] = await start({ workers: 2 })
    const file = join(gateway.configDirectory, 'config.yaml')
    const text = await readFile(file, 'utf8')
    await writeFile(file, '')
    await eventually('the rejection', async () => (await metric(gateway, 'config_last_reload_success')) === 0)
    expect(await statusOf(`${gateway.url}/one`)).toBe(200)
    await writeFile(file, text)
    await eventually('the file', async () => (await metric(gateway, 'config_last_reload_success')) === 1)
    expect(await statusOf(`${gateway.url}/one`)).toBe(200)
  })

  test('opens and closes listeners', async () => {
    const [gateway] = await start({ workers: 2 })
    const port = await freePort()
    await edit(gateway, (text) => text.replace(`port: ${gateway.ports.http}`, `port: ${port}`))
    await eventually('the new port', () => statusOf(`http://127.0.0.1:${port}/one`).catch(() => undefined))
    await eventually('the end of the old one', async () => {
      const socket = connectTcp(gateway.ports.http, '127.0.0.1')
      const refused = await new Promise((resolve) =>
        socket.on('connect', () => resolve(false)).on('error', () => resolve(true)),
      )
      socket.destroy()
      return refused
    })
  })

  test('loses no request while many are made', async () => {
    const [gateway] = await start({ workers: 2 })
    let stopped = false
    const failures: unknown[] = []
    let answered = 0
    const clients = Array.from({ length: 4 }, async () => {
      while (!stopped) {
        const status = await statusOf(`${gateway.url}/one`).catch((error) => error)
        if (status === 200) answered++
        else failures.push(status)
      }
    })
    for (let round = 0; round < 10; round++) {
      const path = `/round-${round}`
      await edit(gateway, (text) =>
        text.replace(
          /routes:\n( {2}- \{ name: r.*\n)?/,
          `routes:\n  - { name: r${round}, service: echo, paths: [${path}] }\n`,
        ),
      )
      await eventually(path, async () => (await statusOf(gateway.url + path)) === 200)
    }
    stopped = true
    await Promise.all(clients)
    expect(failures).toEqual([])
    expect(answered).toBeGreaterThan(0)
  })
})

describe('signals', () => {
  test('SIGTERM: requests in flight are finished, new ones are not taken, and the exit code is 0', async () => {
    const [gateway] = await start({}, (_, response) => {
      response.write('begun ')
      release = () => response.end('done')
    })
    let release = () => {}
    const client = await openRaw(gateway.ports.http)
    client.send('GET /one HTTP/1.1\r\nHost: h\r\n\r\n')
    await client.until(/begun/)
    const stopped = gateway.process.stop({ signal: 'SIGTERM' })
    await eventually('readiness to go', async () => (await statusOf(`${gateway.statusUrl}/readyz`)) === 503)
    await expect(fetch(gateway.url)).rejects.toThrow()
    release()
    expect(await client.closed).toMatch(/begun .*done/s)
    expect(await stopped).toEqual({ code: 0, signal: null })
  })

  test('SIGUSR1: the logs go on in new files', async () => {
    const [gateway] = await start()
    const log = join(gateway.logDirectory, 'access.log')
    await statusOf(`${gateway.url}/one`)
    await eventually('the first line', async () => (await gateway.accessLog()).length === 1)
    await rename(log, `${log}.1`)
    process.kill(gateway.process.pid, 'SIGUSR1')
    await eventually('the new file', () => readFile(log).catch(() => undefined))
    await statusOf(`${gateway.url}/one`)
    await eventually('the second line', async () => (await gateway.accessLog()).length === 1)
    expect((await readFile(`${log}.1`, 'utf8')).trim().split('\n')).toHaveLength(1)
  })
})

describe('TLS', () => {
  const filesIn = (folder: string) => ({
    certificate: join(folder, 'server.crt'),
    key: join(folder, 'server.key'),
  })

  async function startWithTls(more: object = {}) {
    const folder = await newFolder()
    const authority = await developmentAuthority(join(folder, 'ca'))
    const files = filesIn(join(folder, 'tls'))
    await ensureServerCertificate(files, authority)
    const port = await freePort()
    const listener = {
      host: '127.0.0.1',
      port,
      protocol: 'https',
      certificate: files.certificate,
      key: files.key,
    }
    const [gateway] = await start({ listeners: [{ ...listener, ...more }] })
    const ca = await readFile(authority.certificate, 'utf8')
    const handshake = (options: object = {}) =>
      new Promise<TLSSocket>((resolve, reject) => {
        const socket = connectTls({ host: '127.0.0.1', port, ca, servername: 'localhost', ...options })
        socket.once('secureConnect', () => resolve(socket)).once('error', reject)
      })
    return { gateway, handshake, files, authority, folder }
  }

  test('is 1.3 only, and carries requests', async () => {
    const { handshake } = await startWithTls()
    const socket = await handshake()
    expect(socket.getProtocol()).toBe('TLSv1.3')
    socket.write('GET /one HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n')
    const answer = Buffer.concat(await socket.toArray()).toString()
    expect(answer).toMatch(/^HTTP\/1\.1 200/)
    expect(answer).toContain('"x-forwarded-proto":"https"')
    await expect(handshake({ maxVersion: 'TLSv1.2' })).rejects.toThrow()
  })

  test('is 1.2 where a listener says so', async () => {
    const { handshake } = await startWithTls({ min_tls_version: '1.2' })
    const socket = await handshake({ maxVersion: 'TLSv1.2' })
    expect(socket.getProtocol()).toBe('TLSv1.2')
    socket.destroy()
  })

  test('SIGHUP takes up a new certificate; connections stay open', async () => {
    const { gateway, handshake, files, authority, folder } = await startWithTls()
    const kept = await handshake()
    const serial = kept.getPeerCertificate().serialNumber
    const renewed = filesIn(join(folder, 'renewed'))
    await ensureServerCertificate(renewed, authority)
    await rename(renewed.key, files.key)
    await rename(renewed.certificate, files.certificate)
    process.kill(gateway.process.pid, 'SIGHUP')
    await eventually('the new certificate', async () => {
      const socket = await handshake()
      const { serialNumber } = socket.getPeerCertificate()
      socket.destroy()
      return serialNumber !== serial
    })
    kept.write('GET /one HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n')
    expect(Buffer.concat(await kept.toArray()).toString()).toMatch(/^HTTP\/1\.1 200/)
  })
})

describe('a gateway that cannot start says why and exits with 1', () => {
  test.each([
    [
      'a wrong configuration',
      { routes: [{ name: 'r', service: 'nowhere', paths: ['/'] }] },
      /config\.yaml:\d+:\d+.*nowhere/,
    ],
    [
      'no certificate',
      { listeners: [{ port: 1, protocol: 'https', certificate: '/missing', key: '/missing' }] },
      /config\.yaml:\d+:\d+: the certificate cannot be read/,
    ],
  ])('%s', async (_, config, reason) => {
    const failure = await startGateway({ config }).then(
      () => undefined,
      (error: Error) => error.message,
    )
    expect(failure).toMatch(/exit code 1/)
    expect(failure).toMatch(reason)
    expect(failure).not.toMatch(/\n\s+at /)
  })

  test.each(['listeners', 'admin', 'status'])('a port of %s that is taken', async (what) => {
    const blocker = createServer()
    await new Promise<void>((resolve) => blocker.listen(0, '127.0.0.1', resolve))
    ended.push(async () => blocker.close())
    const { port } = blocker.address() as { port: number }
    const address = { host: '127.0.0.1', port }
    const failure = await startGateway({
      config: { [what]: what === 'listeners' ? [address] : address },
    }).then(
      () => undefined,
      (error: Error) => error.message,
    )
    expect(failure).toMatch(/exit code 1/)
    expect(failure).toContain(String(port))
    expect(failure).not.toMatch(/\n\s+at /)
  })
})
