import { createCipheriv, createHash } from 'node:crypto'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import type { RequestListener } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect } from '@jest/globals'
import { programForTests } from '../../support/test-program.ts'
import { startUpstream, type Upstream } from '../../support/upstream.ts'
import { type GatewayWithBothListeners, startWithBothListeners } from './both-listeners.ts'

const curl = await programForTests('curl')
const megabyte = 1_048_576

/** Bytes that do not repeat, so that lost, doubled and swapped pieces change the digest. */
const bytesOf = (length: number) =>
  createCipheriv('aes-128-ctr', Buffer.alloc(16), Buffer.alloc(16)).update(Buffer.alloc(length))
const digest = (bytes: Buffer) => createHash('sha256').update(bytes).digest('hex')

const download = bytesOf(50 * megabyte)

/** What the service saw of a request. */
interface Seen {
  readonly method: string
  readonly headers: Record<string, string>
  readonly bytes: number
  readonly digest: string
}

const service: RequestListener = (request, response) => {
  if (request.url === '/download') {
    response.setHeader('content-length', download.length)
    response.end(download)
    return
  }
  if (request.url === '/chunked') {
    for (const part of ['one ', 'two ', 'three']) response.write(part)
    response.end()
    return
  }
  const hash = createHash('sha256')
  let bytes = 0
  request.on('data', (chunk: Buffer) => {
    hash.update(chunk)
    bytes += chunk.length
  })
  request.on('end', () => {
    const { method, headers } = request
    const text = JSON.stringify({ method, headers, bytes, digest: hash.digest('hex') })
    response.setHeader('content-length', text.length)
    response.end(text)
  })
}

let folder: string
let upstream: Upstream
let started: GatewayWithBothListeners

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'gatehouse-test-'))
  upstream = await startUpstream(service)
  started = await startWithBothListeners(folder, upstream.url)
})

afterAll(async () => {
  await started?.gateway.stop()
  await upstream?.stop()
  await rm(folder, { recursive: true, force: true })
})

/** What `--write-out '%{json}'` tells of a transfer, and what was kept of the last one. */
interface Transfer {
  readonly http_version: string
  readonly http_code: number
  readonly num_connects: number
  readonly size_upload: number
}

interface Result {
  /** One for each URL. */
  readonly transfers: readonly Transfer[]
  readonly last: Transfer
  /** Heads of all answers, also of 100 Continue. */
  readonly heads: string
  /** Body of the last answer. */
  readonly body: Buffer
}

async function ask(args: readonly string[], input?: Buffer): Promise<Result> {
  const [body, heads] = [join(folder, 'body'), join(folder, 'heads')]
  await writeFile(body, '')
  const keep = ['--output', body, '--dump-header', heads, '--write-out', '%{json}\n']
  const { code, stdout, stderr } = await curl.run(
    ['--silent', '--show-error', '--max-time', '25', '--noproxy', '*', ...keep, ...args],
    input && { input },
  )
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
  const transfers: Transfer[] = stdout
    .toString()
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line))
  return {
    transfers,
    last: transfers.at(-1)!,
    heads: await readFile(heads, 'latin1'),
    body: await readFile(body),
  }
}

const seenIn = ({ body }: Result): Seen => JSON.parse(body.toString())

describe('curl', () => {
  curl.test('gets an answer, and asks again on the same connection', async () => {
    const first = ['--output', join(folder, 'first'), `${started.plain}/a`]
    const result = await ask([...first, `${started.plain}/b`])
    expect(result.transfers).toMatchObject([
      { http_code: 200, http_version: '1.1', num_connects: 1 },
      { http_code: 200, http_version: '1.1', num_connects: 0 },
    ])
    expect(seenIn(result)).toMatchObject({ method: 'GET', bytes: 0 })
  })

  curl.test('asks for the head alone', async () => {
    const { last, heads, body } = await ask(['--head', `${started.plain}/download`])
    expect(last).toMatchObject({ http_code: 200 })
    expect(heads).toMatch(new RegExp(`^content-length: ${download.length}\r$`, 'im'))
    expect(body.toString()).toBe(heads) // curl shows the head in place of a body
  })

  curl.test('waits for 100 Continue before it sends a megabyte', async () => {
    const bytes = bytesOf(megabyte)
    // Were there no 100, curl would wait longer than it may take in all.
    const expecting = ['--header', 'Expect: 100-continue', '--expect100-timeout', '60']
    const result = await ask([...expecting, '--data-binary', '@-', `${started.plain}/`], bytes)
    expect(result.heads).toMatch(/^HTTP\/1\.1 100 Continue\r\n\r\nHTTP\/1\.1 200 /)
    expect(seenIn(result)).toMatchObject({ method: 'POST', bytes: megabyte, digest: digest(bytes) })
  })

  curl.test('uploads in chunks what it does not know the length of', async () => {
    const bytes = bytesOf(3 * megabyte + 17)
    const result = await ask(['--http1.1', '--upload-file', '-', `${started.plain}/`], bytes)
    const seen = seenIn(result)
    expect(seen).toMatchObject({ method: 'PUT', bytes: bytes.length, digest: digest(bytes) })
    expect(seen.headers).not.toHaveProperty('content-length')
  })

  for (const [name, version, args] of [
    ['HTTP/1.1', '1.1', () => [`${started.plain}/`]],
    ['HTTP/2 with prior knowledge', '2', () => ['--http2-prior-knowledge', `${started.plain}/`]],
    ['HTTP/2 over TLS', '2', () => ['--cacert', started.authorityFile, `${started.secure}/`]],
    [
      'HTTP/1.1 over TLS',
      '1.1',
      () => ['--http1.1', '--cacert', started.authorityFile, `${started.secure}/`],
    ],
  ] as const) {
    curl.test(`uploads 20 MB over ${name}`, async () => {
      const bytes = bytesOf(20 * megabyte)
      const file = join(folder, 'upload')
      await writeFile(file, bytes)
      const result = await ask(['--upload-file', file, ...args()])
      expect(result.last).toMatchObject({ http_code: 200, http_version: version, size_upload: bytes.length })
      expect(seenIn(result)).toMatchObject({ bytes: bytes.length, digest: digest(bytes) })
    })

    curl.test(`downloads 50 MB over ${name}`, async () => {
      const [url, ...rest] = args().toReversed()
      const { last, body } = await ask([...rest.toReversed(), `${url}download`])
      expect(last).toMatchObject({ http_code: 200, http_version: version })
      expect(digest(body)).toBe(digest(download))
    })
  }

  curl.test('does not trust a certificate of an authority that it does not know', async () => {
    const { code } = await curl.run(['--silent', '--noproxy', '*', `${started.secure}/`])
    expect(code).toBe(60) // CURLE_PEER_FAILED_VERIFICATION
  })

  curl.test('speaks HTTP/1.0 and is not sent chunks, which it would not know', async () => {
    const { last, heads, body } = await ask(['--http1.0', `${started.plain}/chunked`])
    expect(last).toMatchObject({ http_code: 200 })
    expect(heads).not.toMatch(/^transfer-encoding:/im)
    expect(body.toString()).toBe('one two three')
  })

  curl.test('closes after each answer where it says so', async () => {
    const close = ['--header', 'Connection: close']
    const { transfers, heads } = await ask([
      ...close,
      '--output',
      join(folder, 'first'),
      `${started.plain}/a`,
      `${started.plain}/b`,
    ])
    expect(transfers.map((transfer) => transfer.num_connects)).toEqual([1, 1])
    expect(heads).toMatch(/^connection: close\r$/im)
  })
})
