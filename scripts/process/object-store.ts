import { createHash } from 'node:crypto'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'

/**
 * The part of S3's protocol that reads and writes one object on conditions: GET with If-None-Match, PUT with If-Match
 * and If-None-Match, errors as XML. Signatures must be there, but are not verified.
 */
export interface ObjectStore {
  readonly port: number
  readonly url: string
  /** By path: `/bucket/key`. */
  readonly objects: Map<string, string>
  /** Method and status of each request, in order. */
  readonly requests: readonly string[]
  stop(): Promise<void>
}

const etagOf = (text: string) => `"${createHash('md5').update(text).digest('hex')}"`

/** `port` and `objects`: those of one that was stopped, to bring it back. */
export async function startObjectStore(
  port = 0,
  objects: Map<string, string> = new Map(),
): Promise<ObjectStore> {
  const requests: string[] = []
  const server = createServer(async (request, response) => {
    const body = Buffer.concat(await request.toArray()).toString()
    const { method = '', headers } = request
    const path = new URL(request.url!, 'http://s3').pathname
    const current = objects.get(path)
    const answer = (status: number, etag?: string, text = '') => {
      requests.push(`${method} ${status}`)
      response.writeHead(status, { ...(etag && { etag }), 'content-type': 'application/xml' }).end(text)
    }
    const fail = (status: number, code: string) =>
      answer(
        status,
        undefined,
        `<?xml version="1.0"?><Error><Code>${code}</Code><Message>${code}</Message></Error>`,
      )
    if (!/^AWS4-HMAC-SHA256 Credential=key-id\//.test(headers.authorization ?? ''))
      return fail(403, 'AccessDenied')
    if (method === 'GET') {
      if (current === undefined) return fail(404, 'NoSuchKey')
      const etag = etagOf(current)
      return headers['if-none-match'] === etag ? answer(304, etag) : answer(200, etag, current)
    }
    const isMatch =
      headers['if-match'] === undefined || (current !== undefined && headers['if-match'] === etagOf(current))
    const isFree = headers['if-none-match'] !== '*' || current === undefined
    if (!isMatch || !isFree) return fail(412, 'PreconditionFailed')
    objects.set(path, body)
    answer(200, etagOf(body))
  })
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve))
  const own = (server.address() as AddressInfo).port
  return {
    port: own,
    url: `http://127.0.0.1:${own}`,
    objects,
    requests,
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}
