import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { converse } from '../../support/conversation.ts'
import { startGateway, type TestGateway } from '../../support/gateway.ts'
import { type RecordingUpstream, startRecordingUpstream } from '../../support/recording-upstream.ts'
import { type Reading, readRequests, readResponses, type StrictRequest } from '../../support/strict-http.ts'
import { checkCanonical, compareRequests } from './agreement.ts'
import { requestCorpus } from './request-corpus.ts'
import { cut, mutated, pipelines, runs, seeds } from './streams.ts'

/*
 * Streams of clients go through the gateway to an upstream that keeps every byte, and through a second parser. Both
 * must see the same requests in them, or the gateway must have refused.
 */

let upstream: RecordingUpstream
let gateway: TestGateway
let barriers = 0

beforeAll(async () => {
  upstream = await startRecordingUpstream(({ method, target }) => ({
    bytes: `HTTP/1.1 200 OK\r\ncontent-length: ${target.length}\r\n\r\n${method === 'HEAD' ? '' : target}`,
  }))
  gateway = await startGateway({
    config: {
      limits: { header_timeout: '10s', body_timeout: '10s' },
      upstreams: [
        {
          name: 'recorder',
          targets: [{ target: `127.0.0.1:${upstream.port}` }],
          circuit_breaker: { enabled: false },
        },
      ],
      services: [{ name: 'recorder', upstream: 'recorder', retries: 0 }],
      routes: [{ name: 'all', service: 'recorder', paths: ['/', '~\\*$'], strip_path: false }],
    },
  })
})

afterAll(async () => {
  await gateway?.stop()
  await upstream?.stop()
})

/** Sends a stream in pieces and returns what came of it on both sides. */
async function send(stream: string, cuts: readonly number[] = []) {
  const expected = readRequests(stream)
  const methods = expected.messages.map(({ method }) => method)
  upstream.take() // what a run before left that failed
  const { text, closedByServer } = await converse(
    gateway.ports.http,
    cut(stream, cuts),
    (soFar) => readResponses(soFar, methods, false).messages.length >= methods.length,
  )
  const answers = readAnswers(text, expected, stream)
  // What the gateway does behind the answers is done when it has answered this, on another connection.
  const barrier = `/barrier/${++barriers}`
  await converse(
    gateway.ports.http,
    [`GET ${barrier} HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n`],
    () => false,
  )
  const { requests, unfinished, violations } = upstream.take()
  const seen = requests.filter(({ target }) => target !== barrier)
  return { expected, answers, seen, unfinished, violations, text, closedByServer }
}

/** A request that is refused may have been a HEAD, whose answer has no body, as far as it could be read. */
function readAnswers(text: string, { messages, at }: Reading<StrictRequest>, stream: string) {
  const methods = messages.map(({ method }) => method)
  const answers = readResponses(text, methods, true)
  const isHead = stream.substring(at).trimStart().startsWith('HEAD ')
  return isHead && answers.rest === 'incomplete' ? readResponses(text, [...methods, 'HEAD'], true) : answers
}

type Outcome = Awaited<ReturnType<typeof send>>

/** All that may not be, whatever the client sent. */
function disagreements({ expected, answers, seen, unfinished, violations, text }: Outcome): string[] {
  const wrong = [...violations]
  if (seen.length > expected.messages.length)
    wrong.push(`${seen.length} requests forwarded, ${expected.messages.length} in the stream`)
  for (const [index, request] of seen.entries()) {
    const sent = expected.messages[index]
    if (sent) wrong.push(...compareRequests(sent, request))
    wrong.push(...checkCanonical(request))
  }
  // A request that is cut off or broken may have begun to flow, but no second one behind it.
  if (unfinished.length > 1) wrong.push(`several unfinished requests: ${JSON.stringify(unfinished)}`)
  // The client may have gone after 100 Continue, without the body.
  if (!['nothing', 'closed', 'interim'].includes(answers.rest))
    wrong.push(`the answers are ${answers.rest} (${answers.reason}): ${JSON.stringify(text)}`)
  for (const answer of answers.messages) wrong.push(...checkCanonical(answer))
  if (answers.messages.some(({ status }) => status >= 500 && status !== 501 && status !== 505))
    wrong.push(`a server error: ${JSON.stringify(text)}`)
  if (answers.messages.filter(({ status }) => status === 200).length > expected.messages.length)
    wrong.push('more answers than requests')
  // It waited for more where a whole request was there.
  if (text.includes('408 Request Timeout')) wrong.push('the gateway waited for bytes that were there')
  return wrong
}

describe('streams of the corpus', () => {
  test.each(requestCorpus.map((each) => [each.name, each] as const))(
    '%s',
    async (_, { stream, statuses, denied }) => {
      const outcome = await send(stream)
      expect(disagreements(outcome)).toEqual([])
      expect(outcome.answers.messages.map(({ status }) => status)).toEqual(statuses)
      if (statuses.at(-1)! >= 400)
        expect(outcome.expected.rest).toMatch(denied ? /nothing|closed/ : /malformed|incomplete/)
      expect(outcome.seen).toHaveLength(statuses.filter((status) => status === 200).length)
      // After a refusal nothing more is read from the connection.
      if (statuses.at(-1)! >= 400) expect(outcome.answers.rest).toBe('closed')
    },
  )
})

describe.each(seeds())('generated streams, seed %i', (seed) => {
  test('sound pipelines are forwarded and answered whole, however they are cut', async () => {
    const property = fc.asyncProperty(pipelines, fc.array(fc.nat()), async (stream, cuts) => {
      const outcome = await send(stream, cuts)
      expect(disagreements(outcome)).toEqual([])
      expect(outcome.expected.rest).toMatch(/nothing|closed/)
      expect(outcome.seen).toHaveLength(outcome.expected.messages.length)
      expect(outcome.answers.messages.map(({ status }) => status)).toEqual(outcome.seen.map(() => 200))
    })
    await fc.assert(property, runs(seed))
  })

  test('mutated ones are read alike or refused', async () => {
    const streams = mutated(requestCorpus.map(({ stream }) => stream))
    const property = fc.asyncProperty(streams, fc.array(fc.nat()), async (stream, cuts) => {
      expect(disagreements(await send(stream, cuts))).toEqual([])
    })
    await fc.assert(property, runs(seed))
  })
})
