import { createPublicKey, createSecretKey } from 'node:crypto'
import { Worker } from 'node:worker_threads'
import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import {
  contentDigest,
  isDigestOf,
} from '../../../../../gateway-runtime/src/plugins/authentication/http-signatures/content-digest.ts'
import {
  NonceStore,
  nonceMemory,
} from '../../../../../gateway-runtime/src/plugins/authentication/http-signatures/nonce-store.ts'
import { isSignature } from '../../../../../gateway-runtime/src/plugins/authentication/http-signatures/signature-algorithms.ts'
import {
  NoSuchComponent,
  type SignedRequest,
  signatureBase,
} from '../../../../../gateway-runtime/src/plugins/authentication/http-signatures/signature-base.ts'
import {
  type InnerList,
  parseDictionary,
  writeMember,
} from '../../../../../gateway-runtime/src/plugins/authentication/http-signatures/structured-fields.ts'
import {
  body,
  headers,
  keys,
  request,
  responseSignature,
  sharedSecret,
  signatures,
} from './rfc9421-vectors.ts'

const keyOf = (name: string) =>
  name === 'test-shared-secret'
    ? createSecretKey(sharedSecret, 'base64')
    : createPublicKey(keys[name as keyof typeof keys])
const inputOf = (text: string) => parseDictionary(`sig=${text}`)?.get('sig') as InnerList

describe('the examples of RFC 9421', () => {
  test.each(signatures)('$name', async ({ algorithm, key, input, signature }) => {
    const verify = (base: string) =>
      isSignature(base, Buffer.from(signature, 'base64'), keyOf(key), algorithm)
    const base = signatureBase(request, inputOf(input))
    expect(await verify(base)).toBe(true)
    expect(await verify(base.replace('1618884473', '1618884474'))).toBe(false)
  })

  test('B.2.4, a response, ecdsa-p256-sha256', async () => {
    const signature = Buffer.from(responseSignature.signature, 'base64')
    const verify = (base: string) =>
      isSignature(base, signature, keyOf('test-key-ecc-p256'), 'ecdsa-p256-sha256')
    expect(await verify(responseSignature.base)).toBe(true)
    expect(await verify(responseSignature.base.replace('200', '201'))).toBe(false)
  })

  test('the digest of the body', () => {
    const field = headers.find(([name]) => name === 'content-digest')![1]
    expect(isDigestOf(Buffer.from(body), field)).toBe(true)
    expect(isDigestOf(Buffer.from(`${body} `), field)).toBe(false)
  })
})

describe('components', () => {
  const of = (component: string, changes: Partial<SignedRequest> = {}) => {
    const base = signatureBase({ ...request, ...changes }, inputOf(`(${component})`))
    return base.substring(component.length + 2, base.lastIndexOf('\n'))
  }
  const withHeaders = (...list: [string, string][]) => ({ headers: () => list })

  test('are what the standard says', () => {
    expect(of('"@method"')).toBe('POST')
    expect(of('"@target-uri"')).toBe('https://example.com/foo?param=Value&Pet=dog')
    expect(of('"@request-target"')).toBe('/foo?param=Value&Pet=dog')
    expect(of('"@scheme"')).toBe('https')
    expect(of('"@path"', { path: '' })).toBe('/')
    expect(of('"@query"', { query: '' })).toBe('?')
    const query =
      '?var=this%20is%20a%20big%0Amultiline%20value&bar=with+plus+whitespace&fa%C3%A7ade%22%3A%20=something'
    expect(of('"@query-param";name="var"', { query })).toBe('this%20is%20a%20big%0Amultiline%20value')
    expect(of('"@query-param";name="bar"', { query })).toBe('with%20plus%20whitespace')
    expect(of('"@query-param";name="fa%C3%A7ade%22%3A%20"', { query })).toBe('something')
    expect(of('"x"', withHeaders(['x', ' a '], ['y', 'b'], ['x', 'c, d']))).toBe('a, c, d')
    expect(of('"x";bs', withHeaders(['x', 'value, with, lots'], ['x', 'of, commas']))).toBe(
      ':dmFsdWUsIHdpdGgsIGxvdHM=:, :b2YsIGNvbW1hcw==:',
    )
    const dictionary = withHeaders(['d', ' a=1, b=2;x=1;y=2, c=(a   b    c)'])
    expect(of('"d";key="b"', dictionary)).toBe('2;x=1;y=2')
    expect(of('"d";key="c"', dictionary)).toBe('(a b c)')
  })

  test.each([
    '"missing"',
    '"@status"',
    '"@constructor"',
    '"__proto__"',
    '"@method";req',
    '"date";sf',
    '"date";tr',
    '"date";key="a"',
    '"@query-param"',
    '"@query-param";name="none"',
    '"date" "date"',
    'date',
    '1',
  ])('%s is refused', (component) => {
    expect(() => signatureBase(request, inputOf(`(${component})`))).toThrow(NoSuchComponent)
  })
})

describe('structured fields', () => {
  test.each([
    ['a=1, b=2;x=1;y=2, c=(a b c);q', 'a=1, b=2;x=1;y=2, c=(a b c);q'],
    ['  a=1 ,\tb=2', 'a=1, b=2'],
    ['a=?0, b, c; foo=bar', 'a=?0, b=?1, c=?1;foo=bar'],
    ['a="q\\"\\\\", b=:aGk=:, c=-1.50, d=tok/en:x', 'a="q\\"\\\\", b=:aGk=:, c=-1.5, d=tok/en:x'],
    ['a=1, b=2, a=3', 'a=3, b=2'],
    ['', ''],
  ])('%j is read', (text, written) => {
    const dictionary = parseDictionary(text)
    expect([...dictionary!].map(([key, member]) => `${key}=${writeMember(member)}`).join(', ')).toBe(written)
  })

  test.each([
    'a=',
    'a=1,',
    'a=1 b=2',
    'A=1',
    'a=(1',
    'a=(1 2',
    'a=(1"2")',
    'a="x',
    'a="\\x"',
    'a=:x',
    'a=?2',
    'a=1.',
    'a=1.2345',
    'a=1234567890123456',
    'a=\u00e4',
    ',',
    'a;=1',
  ])('%j is refused', (text) => expect(parseDictionary(text)).toBe(undefined))

  test('what is read and written is the same, and no text makes reading throw', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.stringMatching(/^[a-z]=[()a"\\:;=?,0-9.* -]{0,40}$/)), (text) => {
        const dictionary = parseDictionary(text)
        for (const [key, member] of dictionary ?? []) {
          const written = `${key}=${writeMember(member)}`
          expect(writeMember(parseDictionary(written)!.get(key)!)).toBe(writeMember(member))
        }
      }),
      { numRuns: 2_000 },
    )
  })
})

describe('digests', () => {
  const bytes = Buffer.from('abc')
  test('are all right that can be checked, and there is one', () => {
    const right = contentDigest(bytes)
    expect(isDigestOf(bytes, right)).toBe(true)
    expect(isDigestOf(bytes, `md5=:AAAA:, ${right}`)).toBe(true)
    for (const wrong of [
      '',
      'md5=:AAAA:',
      'sha-256=:AAAA:',
      'sha-256=abc',
      'sha-256=()',
      `${right}, sha-512=:AAAA:`,
      'constructor=:AA:',
      '!',
    ])
      expect(isDigestOf(bytes, wrong)).toBe(false)
  })
})

describe('nonces', () => {
  const soon = () => Date.now() / 1_000 + 1_000

  test('are new once, for their time', () => {
    const store = new NonceStore(new SharedArrayBuffer(nonceMemory(65_536)))
    expect(store.take('a', soon())).toBe('new')
    expect(store.take('a', soon())).toBe('used')
    expect(store.take('b', soon())).toBe('new')
    expect(store.take('c', Date.now() / 1_000 - 5)).toBe('new')
    expect(store.take('c', soon())).toBe('new')
  })

  test('are refused where there is no room, and taken again when there is', () => {
    const store = new NonceStore(new SharedArrayBuffer(nonceMemory(0)))
    const verdicts = Array.from({ length: 33 }, (_, index) => store.take(String(index), soon()))
    expect(verdicts).toEqual([...Array<string>(32).fill('new'), 'full'])
    expect(store.take('0', soon())).toBe('used')
  })

  test('are new on one worker alone', async () => {
    const memory = new SharedArrayBuffer(nonceMemory(1_048_576))
    const store = new URL(
      '../../../../../gateway-runtime/src/plugins/authentication/http-signatures/nonce-store.ts',
      import.meta.url,
    )
    const code = `
      const { parentPort, workerData } = require('node:worker_threads')
      import(workerData.store).then(({ NonceStore }) => {
        const store = new NonceStore(workerData.memory)
        const taken = []
        for (let index = 0; index < 20000; index++)
          if (store.take('nonce ' + index, workerData.until) === 'new') taken.push(index)
        parentPort.postMessage(taken)
      })`
    const taken = await Promise.all(
      [0, 1, 2].map(
        () =>
          new Promise<number[]>((resolve, reject) => {
            const workerData = { store: store.href, memory, until: Math.ceil(soon()) }
            const worker = new Worker(code, { eval: true, workerData })
            worker.once('message', resolve).once('error', reject)
          }),
      ),
    )
    const all = taken.flat()
    expect(new Set(all).size).toBe(all.length)
    expect(all.length).toBe(20_000)
  })
})
