import { randomBytes } from 'node:crypto'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import { afterEach, describe, expect } from '@jest/globals'
import { Agent, type Dispatcher } from 'undici'
import { startGateway } from '../../support/gateway.ts'
import { freePort } from '../../support/ports.ts'
import { temporaryFolders } from '../../support/temporary-folder.ts'
import { programForTests } from '../../support/test-program.ts'
import { startServerProgram } from './server-program.ts'

const nginx = await programForTests('nginx')

const newFolder = temporaryFolders()
const ended: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const end of ended.splice(0).reverse()) await end()
})

const text = 'a line that compresses well\n'.repeat(5_000)
const files: Readonly<Record<string, Buffer>> = {
  '0.bin': Buffer.alloc(0),
  '1.bin': randomBytes(1),
  '1000.bin': randomBytes(1_000),
  '64k.bin': randomBytes(65_536),
  '1m.bin': randomBytes(1_048_576),
  '10m.bin': randomBytes(10_485_760),
  'text.txt': Buffer.from(text),
  'page.shtml': Buffer.from('before <!--#echo var="request_method" --> after'),
}

/** Keeps connections for three requests only: it says with the third answer that it closes. */
const configuration = (folder: string, port: number) => `
user root; # ignored where it is not root that runs the tests
daemon off;
worker_processes 1;
pid ${folder}/nginx.pid;
events { worker_connections 1024; }
http {
${['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map((kind) => `  ${kind}_temp_path ${folder}/${kind};`).join('\n')}
  access_log off;
  keepalive_requests 3;
  sendfile on;
  gzip on;
  gzip_proxied any;
  types { text/html shtml; text/plain txt; application/octet-stream bin; }
  gzip_types text/plain;
  server {
    listen 127.0.0.1:${port};
    root ${folder};
    location / { ssi on; }
    location = /taken { return 200 taken; }
  }
}
`

interface Started {
  ask(path: string, options?: Partial<Dispatcher.RequestOptions>): Promise<Answer>
}

interface Answer {
  readonly status: number
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  readonly body: Buffer
}

async function start(): Promise<Started> {
  const folder = await newFolder()
  for (const [name, content] of Object.entries(files)) await writeFile(join(folder, name), content)
  const port = await freePort()
  const file = join(folder, 'nginx.conf')
  await writeFile(file, configuration(folder, port))
  const command = [nginx.path, '-p', folder, '-c', file, '-e', join(folder, 'error.log')] as const
  const server = await startServerProgram('nginx', command, port)
  ended.push(() => server.stop())
  const gateway = await startGateway({
    config: {
      // Whoever says that it closes is asked nothing more: not one request has to be tried again.
      services: [{ name: 'nginx', url: `http://127.0.0.1:${port}`, retries: 0 }],
      routes: [{ name: 'all', service: 'nginx', paths: ['/'] }],
    },
  })
  ended.push(() => gateway.stop())
  const agent = new Agent({ connections: 50 })
  ended.push(() => agent.destroy())
  return {
    async ask(path, options) {
      const request = { origin: gateway.url, path, method: 'GET', ...options } as const
      const { statusCode, headers, body } = await agent.request(request)
      return { status: statusCode, headers, body: Buffer.from(await body.arrayBuffer()) }
    },
  }
}

describe('nginx behind the gateway', () => {
  nginx.test('has its files of every size arrive as they are', async () => {
    const { ask } = await start()
    for (const [name, content] of Object.entries(files).filter(([name]) => name.endsWith('.bin'))) {
      const { status, headers, body } = await ask(`/${name}`)
      expect({ name, status, length: headers['content-length'] }).toEqual({
        name,
        status: 200,
        length: String(content.length),
      })
      expect(body.equals(content)).toBe(true)
    }
  })

  nginx.test('has what it compresses on the way arrive in chunks', async () => {
    const { ask } = await start()
    const { headers, body } = await ask('/text.txt', { headers: { 'accept-encoding': 'gzip' } })
    expect(headers).toMatchObject({ 'transfer-encoding': 'chunked', 'content-encoding': 'gzip' })
    expect(gunzipSync(body).toString()).toBe(text)
  })

  nginx.test('has the pages that it composes arrive in chunks', async () => {
    const { ask } = await start()
    const { headers, body } = await ask('/page.shtml')
    expect(headers).toMatchObject({ 'transfer-encoding': 'chunked' })
    expect(body.toString()).toBe('before GET after')
  })

  nginx.test('answers HEAD, a range and a condition without a body of the wrong length', async () => {
    const { ask } = await start()
    const head = await ask('/10m.bin', { method: 'HEAD' })
    expect(head).toMatchObject({ status: 200, headers: { 'content-length': '10485760' } })
    expect(head.body).toHaveLength(0)
    const range = await ask('/64k.bin', { headers: { range: 'bytes=100-199' } })
    expect(range).toMatchObject({ status: 206, headers: { 'content-range': 'bytes 100-199/65536' } })
    expect(range.body.equals(files['64k.bin']!.subarray(100, 200))).toBe(true)
    const unchanged = await ask('/1000.bin', { headers: { 'if-none-match': String(head.headers.etag) } })
    expect(unchanged.status).toBe(200) // the tag of another file
    const tag = String(unchanged.headers.etag)
    const same = await ask('/1000.bin', { headers: { 'if-none-match': tag } })
    expect(same).toMatchObject({ status: 304, body: Buffer.alloc(0) })
  })

  const mixed = ['0.bin', '1.bin', '1000.bin', '64k.bin', 'page.shtml', 'text.txt']
  /** Asks for a file by the number of the request, every seventh time with a body that nobody awaits. */
  const askNth = async ({ ask }: Started, index: number): Promise<void> => {
    const name = mixed[index % mixed.length]!
    if (index % 7 === 0) {
      const { status, body } = await ask('/taken', { method: 'POST', body: Buffer.alloc(20_000) })
      expect([status, body.toString()]).toEqual([200, 'taken'])
      return
    }
    const { status, body } = await ask(`/${name}`)
    expect({ name, status }).toEqual({ name, status: 200 })
    const wanted = name === 'page.shtml' ? Buffer.from('before GET after') : files[name]!
    expect(body.equals(wanted)).toBe(true)
  }

  nginx.test('fails none of 300 requests in turn, though it closes after every third', async () => {
    const started = await start()
    for (let index = 0; index < 300; index++) await askNth(started, index)
  })

  nginx.test('fails none of 300 requests at once, though it closes after every third', async () => {
    const started = await start()
    await Promise.all(Array.from({ length: 300 }, (_, index) => askNth(started, index)))
  })
})
