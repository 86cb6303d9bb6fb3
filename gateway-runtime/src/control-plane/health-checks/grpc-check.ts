import type { ClientHttp2Session } from 'node:http2'
import type { GrpcCheck, Target } from '../../config/snapshot.ts'
import { version } from '../../version.ts'
import { authorityOf, type Check, CheckFailure, mostAnswerBytes, tlsSettings } from './check.ts'
import { decodeHealthResponse, encodeHealthRequest } from './grpc-health-messages.ts'

const sessionMegabytes = 1
const statusNames: Readonly<Record<string, string>> = {
  '5': 'NOT_FOUND: the server does not know the service',
  '12': 'UNIMPLEMENTED: the server has no grpc.health.v1.Health',
  '14': 'UNAVAILABLE',
}

/**
 * Whether `grpc.health.v1.Health/Check` (grpc/grpc: doc/health-checking.md) answers SERVING.
 * In clear text it is HTTP/2 with prior knowledge.
 */
export function grpcCheck(target: Target, check: GrpcCheck): Check {
  const { tls, host, service } = check
  const authority = authorityOf(target)
  const message = encodeHealthRequest(service)
  const headers = {
    ':method': 'POST',
    ':path': '/grpc.health.v1.Health/Check',
    ':authority': host ?? authority,
    'content-type': 'application/grpc',
    te: 'trailers',
    'user-agent': `gatehouse/${version}`,
  }
  return async (signal) => {
    const { connect } = await import('node:http2') // only where it is used: a gateway is quick to start
    signal.throwIfAborted()
    const session = connect(`${tls ? 'https' : 'http'}://${authority}`, {
      ...(tls && tlsSettings(target, check)),
      settings: { enablePush: false },
      maxSessionMemory: sessionMegabytes,
    })
    const onAbort = () => session.destroy(signal.reason)
    signal.addEventListener('abort', onAbort, { once: true })
    try {
      const answer = await answerOf(session, headers, message)
      const status = decodeHealthResponse(answer)
      if (status !== 'SERVING') throw new CheckFailure(`health is ${status}`)
    } finally {
      signal.removeEventListener('abort', onAbort)
      session.destroy()
    }
  }
}

/** The body of the answer to one call; rejects unless the call ends with status OK. */
function answerOf(session: ClientHttp2Session, headers: object, message: Buffer): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const fail = (error: NodeJS.ErrnoException) => {
      const isHttp2 = error.code?.startsWith('ERR_HTTP2') === true
      reject(isHttp2 ? new CheckFailure(`HTTP/2 failed: ${error.message}`) : error)
    }
    session.on('error', fail)
    session.on('close', () =>
      reject(new CheckFailure('the connection was closed before the answer was complete')),
    )
    const stream = session.request({ ...headers })
    const chunks: Buffer[] = []
    let bytes = 0
    let grpcStatus: unknown
    stream.on('response', (head) => {
      if (head[':status'] !== 200) reject(new CheckFailure(`status ${head[':status']}`))
      grpcStatus = head['grpc-status'] // here where there is no message
    })
    stream.on('data', (chunk: Buffer) => {
      chunks.push(chunk)
      bytes += chunk.length
      if (bytes > mostAnswerBytes) reject(new CheckFailure(`an answer of over ${mostAnswerBytes} bytes`))
    })
    stream.on('trailers', (trailers) => {
      grpcStatus = trailers['grpc-status']
    })
    stream.on('error', fail)
    stream.on('close', () => {
      if (grpcStatus === '0') resolve(Buffer.concat(chunks))
      else reject(new CheckFailure(describeStatus(grpcStatus)))
    })
    stream.end(message)
  })
}

function describeStatus(status: unknown): string {
  if (status === undefined) return 'an answer without a gRPC status'
  const name = statusNames[String(status)]
  return `gRPC status ${status}${name === undefined ? '' : ` ${name}`}`
}
