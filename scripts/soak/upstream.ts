import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import {
  createServer as createHttp2Server,
  type Http2ServerRequest,
  type Http2ServerResponse,
} from 'node:http2'
import type { Server as NetServer, Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { markOf, Payload } from './payload.ts'
import type { Random } from './random.ts'
import { Timeline } from './timeline.ts'
import { write } from './write.ts'

/**
 * What an upstream does with requests: `well` answers, `slow` answers piece by piece, `closing` answers and says that
 * the connection ends behind it, `hang` falls silent before or in its answer, `reset` breaks off before or in it,
 * `dead` does not listen and has closed all sockets.
 */
export type Mode = 'well' | 'slow' | 'closing' | 'hang' | 'reset' | 'dead'

/** What the upstream has to know of a request, in the fields of its head. */
export const requestFields = { id: 'x-soak-id', sent: 'x-soak-sent', wanted: 'x-soak-wanted' } as const
/** What its answer says besides the body. */
export const answerFields = { upstream: 'x-soak-upstream', sha256: 'x-soak-sha256' } as const

export interface UpstreamOptions {
  readonly name: string
  readonly port: number
  readonly http2: boolean
  readonly random: Random
  /** Called with what the gateway must never send. */
  readonly onViolation: (explanation: string) => void
}

type Request = IncomingMessage | Http2ServerRequest
type Response = ServerResponse | Http2ServerResponse

/** A server of HTTP/1.1 or, without TLS, of HTTP/2, that fails when it is told to. */
export class SoakUpstream {
  readonly modes = new Timeline<Mode>('well')
  readonly #options: UpstreamOptions
  readonly #sockets = new Set<Socket>()
  #server: NetServer | undefined

  constructor(options: UpstreamOptions) {
    this.#options = options
  }

  get name(): string {
    return this.#options.name
  }

  get port(): number {
    return this.#options.port
  }

  /** Takes up a mode; resolves when it listens, or does so no more. */
  async become(mode: Mode): Promise<void> {
    this.modes.add(mode)
    if (mode === 'dead') await this.stop()
    else if (!this.#server) await this.#listen()
  }

  /** Closes the listener and all sockets. */
  async stop(): Promise<void> {
    const server = this.#server
    this.#server = undefined
    if (!server) return
    const closed = once(server, 'close')
    server.close()
    for (const socket of this.#sockets) socket.resetAndDestroy()
    await closed
  }

  async #listen(): Promise<void> {
    const server = this.#options.http2 ? this.#createHttp2() : this.#createHttp1()
    this.#server = server
    server.on('connection', (socket: Socket) => {
      this.#sockets.add(socket)
      socket.on('error', () => {})
      socket.once('close', () => this.#sockets.delete(socket))
    })
    server.listen(this.#options.port, '127.0.0.1')
    await once(server, 'listening')
  }

  #createHttp1(): Server {
    // Connections are never closed for being idle: the gateway could be using one at that moment.
    const server = createServer({ keepAliveTimeout: 0, requestTimeout: 0, headersTimeout: 0 })
    server.on('request', (request, response) => this.#onRequest(request, response))
    server.on('clientError', (error: NodeJS.ErrnoException, socket) => {
      if (error.code?.startsWith('HPE_') && error.code !== 'HPE_INVALID_EOF_STATE')
        this.#violation(`got what is not HTTP/1.1: ${error.message}`)
      socket.destroy()
    })
    return server
  }

  #createHttp2(): NetServer {
    const server = createHttp2Server()
    server.on('request', (request, response) => this.#onRequest(request, response))
    server.on('session', (session) => session.on('error', () => {}))
    return server
  }

  #violation(explanation: string): void {
    this.#options.onViolation(`upstream ${this.name} ${explanation}`)
  }

  #onRequest(request: Request, response: Response): void {
    request.on('error', () => {})
    response.on('error', () => {})
    this.#serve(request, response).catch(() => {}) // of a request that the gateway gave up
  }

  async #serve(request: Request, response: Response): Promise<void> {
    const id = Number(request.headers[requestFields.id])
    const { random } = this.#options
    const mode = this.modes.current
    // Half of the silent ones do not even read: large bodies get stuck.
    if (mode === 'hang' && random.chance(0.5)) return
    if (mode === 'reset' && random.chance(0.3)) return this.#breakOff(request, response)
    const sha256 = await this.#readBody(request, id)
    if (sha256 === undefined) return
    if (mode === 'slow') await sleep(random.between(10, 200))
    const answer = new Payload(markOf('answer', id), Number(request.headers[requestFields.wanted]))
    const isChunked = random.chance(0.3)
    ;(response as ServerResponse).writeHead(200, {
      [answerFields.upstream]: this.name,
      [answerFields.sha256]: sha256,
      ...(!isChunked && { 'content-length': String(answer.size) }),
      ...(mode === 'closing' && !('stream' in response) && { connection: 'close' }),
    })
    if (mode === 'closing' && 'stream' in response) response.stream.session?.close()
    if (mode === 'well' || mode === 'closing') await writeBody(response, answer.pieces())
    else if (mode === 'slow')
      await writeBody(response, answer.pieces(0, answer.size, answer.size / 4 + 1), 40)
    else {
      await writeBody(response, answer.pieces(0, random.between(0, answer.size - 1)))
      if (mode === 'reset') this.#breakOff(request, response)
      return
    }
    response.end()
  }

  /** Ends the connection with or without a reset, or of HTTP/2 the stream alone. */
  #breakOff(request: Request, response: Response): void {
    const { random } = this.#options
    if (!('stream' in response)) {
      if (random.chance(0.5)) request.socket.resetAndDestroy()
      else request.socket.destroy()
      return
    }
    // Node.js ends a body before it resets the stream: without a length that would look like all of it.
    const tells = !response.headersSent || response.hasHeader('content-length')
    if (tells && random.chance(0.5)) return response.stream.close(2) // INTERNAL_ERROR
    const { remotePort } = request.socket
    for (const socket of this.#sockets) if (socket.remotePort === remotePort) socket.resetAndDestroy()
  }

  /** SHA-256 of the body; undefined where it broke off. */
  async #readBody(request: Request, id: number): Promise<string | undefined> {
    const sent = new Payload(markOf('request', id), Number(request.headers[requestFields.sent]))
    const hash = createHash('sha256')
    let size = 0
    let isSound = true
    try {
      for await (const chunk of request as AsyncIterable<Buffer>) {
        isSound &&= sent.matches(chunk, size)
        hash.update(chunk)
        size += chunk.length
      }
    } catch {
      return undefined
    }
    const isBrokenOff = 'aborted' in request && request.aborted
    if (isBrokenOff) return undefined
    if (!isSound) this.#violation(`got bytes that are not of request ${id}`)
    else if (size !== sent.size)
      this.#violation(`was told that request ${id} is complete after ${size} of ${sent.size} bytes`)
    return hash.digest('hex')
  }
}

/** Takes the time that the reader needs, and `pause` milliseconds behind each piece. */
async function writeBody(response: Response, pieces: Iterable<Buffer>, pause = 0): Promise<void> {
  const stream = 'stream' in response ? response.stream : response
  for (const piece of pieces) {
    if (stream.destroyed) throw new Error('the gateway has gone')
    await write(stream, piece)
    if (pause > 0) await sleep(pause)
  }
}
