import { Worker } from 'node:worker_threads'
import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import {
  compilePattern,
  patternProblem,
  patternSource,
} from '../../../gateway-runtime/src/config/route-pattern.ts'
import { expression } from './generated-patterns.ts'

const longest = 65_536 // characters of a target, by the largest limits.uri_bytes

const accepted = expression
  .map((source) => `~/${source}$`)
  .filter((text) => patternProblem(text, text) === undefined)

/** Runs matching in a worker, as the gateway does; ends it where it hangs. */
async function matchInWorker(cases: readonly (readonly [source: string, input: string])[]): Promise<number> {
  const module = new URL('../../../gateway-runtime/src/config/route-pattern.ts', import.meta.url)
  const script = `
    const { parentPort, workerData } = require('node:worker_threads')
    import(${JSON.stringify(module.href)}).then(({ compilePattern }) => {
      let done = 0
      for (const [source, input] of workerData) {
        compilePattern(source).exec(input)
        done++
      }
      parentPort.postMessage(done)
    })`
  const worker = new Worker(script, { eval: true, workerData: cases })
  try {
    return await new Promise<number>((resolve, reject) => {
      worker.on('message', resolve)
      worker.on('error', reject)
      setTimeout(
        () => reject(new Error(`hangs: ${cases.map(([source]) => source).join('  ')}`)),
        40_000,
      ).unref()
    })
  } finally {
    await worker.terminate()
  }
}

describe('what is taken as a regular expression cannot hang a worker', () => {
  test.each([
    ['/(a+)+$', 'a'],
    ['/(?:a|a)*$', 'a'],
    ['/(?:a|ab)(?:b|a)*(?:a*)*$', 'ab'],
    ['/.*a.*a.*a.*a.*b$', 'a'],
    ['/(?:(?:a*)*)*b', 'a'],
    ['/(?:\\w+\\d*)+$', '1'],
    [`/${'(?:a*a*){16}'.repeat(15)}b`, 'a'],
    ['/(?:a{1,4}){1,4}(?:a{1,4}){1,4}(?:a{1,4}){1,4}$', 'a'],
  ])('%s', async (source, unit) => {
    expect(patternProblem(`~${source}`, source)).toBeUndefined()
    const input = `/${unit.repeat(longest / unit.length)}!`
    expect(await matchInWorker([[source, input]])).toBe(1)
  })

  test('whatever is generated, with texts that nearly match', async () => {
    const unit = fc.constantFrom('a', 'b', 'ab', 'aab', '/a', 'a/b')
    const texts = fc.sample(fc.tuple(accepted, unit), 60)
    const cases = texts.map(
      ([text, unit]) => [patternSource(text), `/${unit.repeat(Math.floor(longest / unit.length))}!`] as const,
    )
    expect(await matchInWorker(cases)).toBe(cases.length)
  })
})

test('the engine that takes over finds what the first one does', () => {
  const input = fc
    .array(fc.constantFrom('a', 'b', '/', '!'), { maxLength: 12 })
    .map((parts) => `/${parts.join('')}`)
  const prefix = expression
    .map((source) => `~/${source}`)
    .filter((text) => patternProblem(text, text) === undefined)
  fc.assert(
    fc.property(prefix, input, (text, path) => {
      const source = patternSource(text)
      const linear = new RegExp(`^(?:${source})`, 'l')
      expect(linear.exec(path)?.[0]).toBe(compilePattern(source).exec(path)?.[0])
    }),
    { numRuns: 1_000 },
  )
})
