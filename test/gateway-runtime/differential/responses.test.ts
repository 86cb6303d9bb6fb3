import { createServer, type Server, type Socket } from 'node:net'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { converse } from '../../support/conversation.ts'
import { startGateway, type TestGateway } from '../../support/gateway.ts'
import { listenOnFreePort } from '../../support/ports.ts'
import { readRequests, readResponses } from '../../support/strict-http.ts'
import { checkCanonical, compareResponses } from './agreement.ts'
import { responseCorpus } from './response-corpus.ts'
import { cut, mutated, responses, runs, seeds } from './streams.ts'

/*
 * What an upstream says goes through the gateway to a client, and through a second parser. The client must get the
 * answer that the second parser sees, framed by the gateway, or a 502, or be cut off visibly; and the request behind
 * it must get its own answer, whatever the upstream had said.
 */

let server: Server
let gateway: TestGateway
const sockets = new Set<Socket>()
/** What /subject is answered with. */
let subject: { pieces: readonly string[]; close: boolean } = { pieces: [], close: true }

beforeAll(async () => {
  server = createServer({ noDelay: true, allowHalfOpen: true }, (socket) => {
    sockets.add(socket)
    socket.on('close', () => sockets.delete(socket)).on('error', () => {})
    socket.on('end', () => socket.end())
    let unread = ''
    socket.on('data', (chunk) => {
      unread += chunk.toString('latin1')
      const { messages, at } = readRequests(unread)
      unread = unread.substring(at)
      for (const { target } of messages) void answer(socket, target)
    })
  })
  const port = await listenOnFreePort(server)
  gateway = await startGateway({
    config: {
      upstreams: [
        {
          name: 'odd',
          targets: [{ target: `127.0.0.1:${port}` }],
          circuit_breaker: { enabled: false },
        },
      ],
      services: [{ name: 'odd', upstream: 'odd', retries: 0, read_timeout: '2s' }],
      routes: [{ name: 'all', service: 'odd', paths: ['/'], strip_path: false }],
    },
  })
})

afterAll(async () => {
  await gateway?.stop()
  for (const socket of sockets) socket.destroy()
  server?.close()
})

async function answer(socket: Socket, target: string): Promise<void> {
  if (target !== '/subject') {
    socket.write(`HTTP/1.1 200 OK\r\ncontent-length: ${target.length}\r\n\r\n${target}`)
    return
  }
  for (const piece of subject.pieces) {
    socket.write(piece, 'latin1')
    if (subject.pieces.length > 1) await nextTurn()
  }
  if (subject.close) socket.end()
}

/** Asks for what the upstream says, and at once for something else behind it. */
async function ask(method: 'GET' | 'HEAD', stream: string, cuts: readonly number[], keep: boolean) {
  const expected = readResponses(stream, [method], true)
  // Where its end is the end of the answer, or the answer is none, the upstream closes: nobody waits for more.
  const close =
    !keep || expected.messages.length === 0 || expected.rest !== 'nothing' || !expected.messages[0]!.persists
  // Bytes behind an answer come with it: those that come later, when the connection serves the next request, no proxy
  // can tell from an answer to that.
  const [first] = expected.messages
  const isWhole = !first || first.raw.length === stream.length
  subject = { pieces: cut(stream, isWhole ? cuts : []), close }
  const { text } = await converse(
    gateway.ports.http,
    [
      `${method} /subject HTTP/1.1\r\nHost: h\r\nTE: trailers\r\n\r\n` +
        'GET /behind HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n',
    ],
    () => false,
  )
  return { expected, answers: readResponses(text, [method, 'GET'], true), text }
}

type Outcome = Awaited<ReturnType<typeof ask>>

/** All that may not be, whatever the upstream said. */
function disagreements({ expected, answers, text }: Outcome): string[] {
  const wrong: string[] = []
  const [first, second] = answers.messages
  const given = expected.messages[0]
  if (!first) {
    // Cut off, within the answer or before it: the client can see that it is.
    if (answers.rest !== 'incomplete' && answers.rest !== 'interim' && text !== '')
      wrong.push(`no answer but ${answers.rest}: ${JSON.stringify(text)}`)
    if (given && !given.hasOddExtension) wrong.push(`cut off, but it was whole: ${JSON.stringify(text)}`)
    return wrong
  }
  wrong.push(...answers.messages.flatMap(checkCanonical))
  if (first.status !== 502 || given?.status === 502) {
    if (given) wrong.push(...compareResponses(given, first))
    else wrong.push(`passed on what is ${expected.rest} (${expected.reason}): ${JSON.stringify(text)}`)
  }
  if (second?.body !== '/behind') wrong.push(`the next request was not answered: ${JSON.stringify(text)}`)
  return wrong
}

describe('answers of the corpus', () => {
  test.each(responseCorpus.map((each) => [each.name, each] as const))(
    '%s',
    async (_, { stream, status, method }) => {
      const outcome = await ask(method ?? 'GET', stream, [], true)
      expect(disagreements(outcome)).toEqual([])
      expect(outcome.answers.messages[0]?.status).toBe(status)
    },
  )
})

describe.each(seeds())('generated answers, seed %i', (seed) => {
  const methods = fc.constantFrom('GET' as const, 'HEAD' as const)

  test('sound ones reach the client whole, however they are cut', async () => {
    const property = fc.asyncProperty(
      responses,
      fc.array(fc.nat()),
      fc.boolean(),
      async (stream, cuts, keep) => {
        const outcome = await ask('GET', stream, cuts, keep)
        expect(disagreements(outcome)).toEqual([])
        expect(outcome.answers.messages[0]?.status).toBe(outcome.expected.messages[0]?.status)
      },
    )
    await fc.assert(property, runs(seed))
  })

  test('mutated ones are read alike, refused or cut off', async () => {
    const streams = mutated(
      responseCorpus.map(({ stream }) => stream),
      responses,
    )
    const property = fc.asyncProperty(
      streams,
      methods,
      fc.array(fc.nat()),
      fc.boolean(),
      async (stream, method, cuts, keep) => {
        expect(disagreements(await ask(method, stream, cuts, keep))).toEqual([])
      },
    )
    await fc.assert(property, runs(seed))
  })
})
