import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, describe, expect, test } from '@jest/globals'
import { eventually } from '../../support/eventually.ts'
import { startGateway, type TestGateway } from '../../support/gateway.ts'
import { freePort } from '../../support/ports.ts'
import { temporaryFolders } from '../../support/temporary-folder.ts'
import { startUpstream } from '../../support/upstream.ts'

const newFolder = temporaryFolders()
const ended: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const end of ended.splice(0).reverse()) await end()
})

async function start(source: string, config: object = {}): Promise<{ gateway: TestGateway; file: string }> {
  const file = join(await newFolder(), 'own.ts')
  await writeFile(file, source)
  const upstream = await startUpstream((request, response) => {
    const pieces: Buffer[] = []
    request.on('data', (piece: Buffer) => pieces.push(piece))
    request.on('end', () => {
      const { method, url, headers } = request
      const body = Buffer.concat(pieces).toString()
      response.setHeader('x-from', 'upstream')
      response.end(JSON.stringify({ method, url, headers, body }))
    })
  })
  ended.push(() => upstream.stop())
  const gateway = await startGateway({
    config: {
      services: [{ name: 'service', url: upstream.url }],
      routes: [{ name: 'all', service: 'service', paths: ['/'], strip_path: false }],
      plugin_files: [file],
      plugins: [{ name: 'own', config: {} }],
      ...config,
    },
  })
  ended.push(() => gateway.stop())
  return { gateway, file }
}

const plugin = (handlers: string, more = '') => `
import { Transform } from 'node:stream'
import { definePlugin, z, type Exchange } from '@gatehouse/gateway-runtime/plugin'

export default definePlugin({
  name: 'own',
  order: 500,
  description: 'For a test.',
  config: z.strictObject({ word: z.string().default('hello') }),
  ${more}
  create(config, gateway) {
    return { ${handlers} }
  },
})
`

interface Seen {
  readonly method: string
  readonly url: string
  readonly headers: Record<string, string>
  readonly body: string
}
const seenBy = async (response: Response) => (await response.json()) as Seen

describe('fields of answers that are known beforehand', () => {
  const fields = `
    import { definePlugin, responseFields, z } from '@gatehouse/gateway-runtime/plugin'
    export default definePlugin({
      name: 'own', order: 2850, description: 'For a test.', config: z.strictObject({}),
      create() {
        const before = responseFields([['x-a', 'own'], ['x-frame-options', 'own']], ['x-from'])
        return {
          onRequest(exchange) {
            exchange.addResponseHeader('x-a', 'dropped by the next line')
            exchange.applyResponseFields(before)
            exchange.addResponseHeader('x-b', 'own')
            exchange.setResponseHeader('x-a', 'set after')
            return undefined
          },
        }
      },
    })`

  test('stand in the place of others; whoever comes last counts', async () => {
    const { gateway } = await start(fields, { plugins: [{ name: 'own' }, { name: 'security-headers' }] })
    const { headers } = await fetch(gateway.url)
    expect(headers.get('x-a')).toBe('set after')
    expect(headers.get('x-b')).toBe('own')
    expect(headers.has('x-from')).toBe(false)
    expect(headers.get('x-frame-options')).toBe('DENY')
    expect(headers.get('referrer-policy')).toBe('strict-origin-when-cross-origin')
  })

  test.each([
    ["[['a b', '1']]", 'not a header field: a b'],
    ["[['x-a', 'x\\r\\ny: z']]", 'not a header field: x-a'],
    ["[['content-length', '1']]", "content-length is the gateway's to set"],
  ])('are checked when the plugin is configured: %s', async (set, message) => {
    const source = fields.replace(/const before = .*/, `const before = responseFields(${set})`)
    await expect(start(source)).rejects.toThrow(message)
  })
})

describe('a request', () => {
  test('is seen and changed on its way to the upstream', async () => {
    const { gateway } = await start(
      plugin(`
        onRequest({ request }: Exchange) {
          request.setHeader('x-word', config.word + request.header('x-given'))
          request.removeHeader('x-given')
          request.setQuery('?b=2')
          return undefined
        },`),
      { plugins: [{ name: 'own', config: { word: 'hi ' } }] },
    )
    const response = await fetch(`${gateway.url}/path?a=1`, { headers: { 'x-given': 'there' } })
    const seen = await seenBy(response)
    expect(seen.url).toBe('/path?b=2')
    expect(seen.headers['x-word']).toBe('hi there')
    expect(seen.headers).not.toHaveProperty('x-given')
  })

  test('cannot have a header of a plugin taken away by Connection', async () => {
    const { gateway } = await start(
      plugin(`onRequest({ request }: Exchange) { request.setHeader('x-word', 'kept'); return undefined },`),
    )
    const { request } = await import('node:http')
    const status = await new Promise<string>((resolve, reject) => {
      const outgoing = request(gateway.url, { headers: { connection: 'x-word, close' } }, (response) => {
        let text = ''
        response.setEncoding('utf8').on('data', (piece) => {
          text += piece
        })
        response.on('end', () => resolve(text))
      })
      outgoing.on('error', reject).end()
    })
    expect((JSON.parse(status) as Seen).headers['x-word']).toBe('kept')
  })

  test('cannot be framed or routed otherwise', async () => {
    const { gateway } = await start(
      plugin(`
        onRequest({ request, ...exchange }: Exchange) {
          const refused = ['content-length', 'transfer-encoding', 'host', 'x-forwarded-for', 'a b'].filter((name) => {
            try { request.setHeader(name, '1'); return false } catch { return true }
          })
          return { status: 200, headers: [], body: Buffer.from(String(refused.length)) }
        },`),
    )
    expect(await (await fetch(gateway.url)).text()).toBe('5')
  })

  test.each([
    ['with its length', () => 'abc'],
    ['in chunks', () => new Blob(['a', 'bc']).stream()],
  ])('has its body read and replaced, %s', async (_, body) => {
    const { gateway } = await start(
      plugin(`
        async onRequest({ request }: Exchange) {
          const body = await request.body(1000)
          request.replaceBody(Buffer.from(body.toString().toUpperCase() + '!'))
          return undefined
        },`),
    )
    const options = { method: 'POST', body: body(), duplex: 'half' } as RequestInit
    const seen = await seenBy(await fetch(gateway.url, options))
    expect(seen.body).toBe('ABC!')
    expect(seen.headers['content-length']).toBe('4')
  })

  test('whose body is read still goes on whole, and one that is too large is refused', async () => {
    const { gateway } = await start(
      plugin(`async onRequest({ request }: Exchange) { await request.body(100_000); return undefined },`),
    )
    const large = 'x'.repeat(99_999)
    const ask = (body: string) => fetch(gateway.url, { method: 'POST', body })
    expect((await seenBy(await ask(large))).body).toBe(large)
    const refused = await ask('x'.repeat(100_001))
    expect(refused.status).toBe(413)
    const stream = new Blob(['x'.repeat(100_001)]).stream()
    const streamed = await fetch(gateway.url, { method: 'POST', body: stream, duplex: 'half' } as RequestInit)
    expect(streamed.status).toBe(413)
  })

  test('that a plugin answers never reaches the upstream', async () => {
    const { gateway } = await start(
      plugin(`
        onRequest(exchange: Exchange) {
          exchange.addResponseHeader('x-added', 'yes')
          return { status: 418, headers: [['content-type', 'text/plain']], body: Buffer.from('short and stout') }
        },`),
    )
    const response = await fetch(gateway.url)
    expect(response.status).toBe(418)
    expect(response.headers.get('content-type')).toBe('text/plain')
    expect(response.headers.get('x-added')).toBe('yes')
    expect(response.headers.get('x-request-id')).toMatch(/^[\w-]+$/)
    expect(await response.text()).toBe('short and stout')
    const head = await fetch(gateway.url, { method: 'HEAD' })
    expect(head.headers.get('content-length')).toBe('15')
  })
})

describe('an answer', () => {
  test('is seen and changed on its way to the client, also by a stream', async () => {
    const { gateway } = await start(
      plugin(`
        async onResponse(_: Exchange, response) {
          await Promise.resolve()
          if (response.header('x-from') !== 'upstream') throw new Error('not seen')
          response.setHeader('x-from', 'plugin')
          response.status = 202
          response.pipe(new Transform({
            transform(chunk, _encoding, done) { done(null, chunk.toString().toUpperCase()) },
            flush(done) { done(null, '.') },
          }))
        },`),
    )
    for (let round = 0; round < 3; round++) {
      const response = await fetch(`${gateway.url}/abc`)
      expect(response.status).toBe(202)
      expect(response.headers.get('x-from')).toBe('plugin')
      const text = await response.text()
      expect(text).toContain('"URL":"/ABC"')
      expect(text.endsWith('}.')).toBe(true)
    }
  })

  test('has headers that a plugin set, whoever made it, and not those that it hides', async () => {
    const { gateway } = await start(
      plugin(`
        onRequest(exchange: Exchange) {
          exchange.setResponseHeader('x-from', 'gateway')
          return undefined
        },`),
      { routes: [{ name: 'one', service: 'service', paths: ['/one'] }] },
    )
    expect((await fetch(`${gateway.url}/one`)).headers.get('x-from')).toBe('gateway')
    const missing = await fetch(`${gateway.url}/two`)
    expect(missing.status).toBe(404)
    expect(missing.headers.get('x-from')).toBe('gateway')
  })

  test('is over for a plugin when it is, with what became of it', async () => {
    const { gateway } = await start(
      plugin(
        `
        onRequest({ request }: Exchange) {
          if (request.path !== '/count') return undefined
          return gateway.call('ended').then((ended) => ({
            status: 200, headers: [], body: Buffer.from(JSON.stringify(ended)),
          }))
        },
        onEnd({ request }: Exchange, { status, responseBytes, attempts }) {
          void gateway.call({ path: request.path, status, hasBytes: responseBytes > 0, attempts })
        },`,
        `serve() {
          const ended: unknown[] = []
          return {
            onCall: (message: unknown) => (message === 'ended' ? ended : void ended.push(message)),
            stop() {},
          }
        },`,
      ),
    )
    await (await fetch(`${gateway.url}/first`)).text()
    const ended = await (await fetch(`${gateway.url}/count`)).json()
    expect(ended).toEqual([{ path: '/first', status: 200, hasBytes: true, attempts: 1 }])
  })
})

describe('a plugin that throws', () => {
  test.each([
    ['at the request', `onRequest() { throw new Error('broken') },`],
    ['later', `async onRequest() { throw new Error('broken') },`],
    ['at the answer', `onResponse() { throw new Error('broken') },`],
    ['at the answer, later', `async onResponse() { throw new Error('broken') },`],
  ])('%s fails that request alone, and is counted', async (_, handlers) => {
    const { gateway } = await start(plugin(handlers), {
      plugins: [{ name: 'own', route: 'broken' }],
      routes: [
        { name: 'broken', service: 'service', paths: ['/broken'] },
        { name: 'all', service: 'service', paths: ['/'] },
      ],
    })
    const response = await fetch(`${gateway.url}/broken`)
    expect(response.status).toBe(500)
    expect(await response.json()).toMatchObject({ code: 'plugin-failed' })
    expect((await fetch(`${gateway.url}/sound`)).status).toBe(200)
    const metrics = await (await fetch(`${gateway.statusUrl}/metrics`)).text()
    expect(metrics).toMatch(/^gatehouse_plugin_failures_total 1$/m)
  })

  test('where the request is over harms nothing, and is counted', async () => {
    const { gateway } = await start(plugin(`onEnd() { throw new Error('broken') },`))
    for (let round = 0; round < 2; round++) expect((await fetch(gateway.url)).status).toBe(200)
    await eventually('both are counted', async () =>
      /^gatehouse_plugin_failures_total 2$/m.test(await (await fetch(`${gateway.statusUrl}/metrics`)).text()),
    )
  })

  test('where no upstream answers fails that request alone, and is counted', async () => {
    const { gateway } = await start(plugin(`onUpstreamError() { throw new Error('broken') },`), {
      services: [{ name: 'service', url: `http://127.0.0.1:${await freePort()}`, retries: 0 }],
    })
    const response = await fetch(gateway.url)
    expect([response.status, ((await response.json()) as { code: string }).code]).toEqual([
      500,
      'plugin-failed',
    ])
    const metrics = await (await fetch(`${gateway.statusUrl}/metrics`)).text()
    expect(metrics).toMatch(/^gatehouse_plugin_failures_total 1$/m)
  })

  test('in a stream breaks off that answer alone', async () => {
    const { gateway } = await start(
      plugin(`
        onResponse({ request }: Exchange, response) {
          if (request.path !== '/broken') return
          response.pipe(new Transform({ transform(_chunk, _encoding, done) { done(new Error('broken')) } }))
        },`),
    )
    const broken = await fetch(`${gateway.url}/broken`).then(
      async (response) =>
        response.text().then(
          () => response.status,
          () => 'broken off',
        ),
      () => 'broken off',
    )
    expect([500, 502, 'broken off']).toContain(broken)
    expect((await fetch(`${gateway.url}/sound`)).status).toBe(200)
  })

  test('while it is configured keeps the configuration from coming into force', async () => {
    await expect(start(plugin(`...broken(),`, ''))).rejects.toThrow(/broken/)
  })
})
