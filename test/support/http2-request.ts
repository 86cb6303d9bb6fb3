import { once } from 'node:events'
import { connect, type IncomingHttpHeaders, type IncomingHttpStatusHeader } from 'node:http2'

export interface Http2Answer {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly body: string
}

/** Sends one request by HTTP/2 in clear (h2c) to 127.0.0.1 and reads the whole answer. */
export async function askHttp2(
  port: number,
  headers: Record<string, string>,
  body: string | Buffer = '',
): Promise<Http2Answer> {
  const session = connect(`http://127.0.0.1:${port}`)
  try {
    const stream = session.request(headers, { endStream: body.length === 0 })
    if (body.length > 0) stream.end(body)
    const [head] = (await once(stream, 'response')) as [IncomingHttpHeaders & IncomingHttpStatusHeader]
    const text = Buffer.concat(await stream.toArray()).toString()
    return { status: head[':status'] ?? 0, headers: head, body: text }
  } finally {
    session.close()
  }
}
