import type { DDWAF } from '@datadog/native-appsec'
import { BudgetExceeded } from '../budget-exceeded.ts'
import { loadAppsec } from '../native-packages.ts'
import { RecentAnswers } from '../remembering.ts'
import { isAlphanumeric, isSpace } from '../transformations/bytes.ts'
import { namesAsNumbers } from './sql-names.ts'

/** libddwaf cuts strings here; longer ones are looked at in windows that overlap. */
const windowSize = 4_000
const windowOverlap = 256
/** Tokens longer than this are cut by libinjection itself (32 bytes), so a long run can be shortened to it. */
const longestRun = 48
/** libddwaf takes at least this much time, in microseconds. */
const shortestTimeout = 100
/** Milliseconds that one call may take at most. */
const longestTimeout = 1_000

const rule = (type: string, operator: string) => ({
  id: type,
  name: type,
  tags: { type, category: 'attack_attempt' },
  conditions: [{ operator, parameters: { inputs: [{ address: type }] } }],
  transformers: [],
})

/** One for all requests: what is given to it as ephemeral it forgets with each call. */
let context: ReturnType<DDWAF['createContext']> | undefined
function instance(): ReturnType<DDWAF['createContext']> {
  if (context) return context
  const rules = [rule('sqli', 'is_sqli'), rule('xss', 'is_xss')]
  const waf = new (loadAppsec().DDWAF)(
    { version: '2.2', metadata: { rules_version: '1.0.0' }, rules },
    'libinjection',
  )
  context = waf.createContext()
  return context
}

/** Thrown where libinjection came to no result. */
export class LibinjectionError extends Error {}

/**
 * Whether libinjection finds something in one of the texts; `timeLeft` in milliseconds. All are asked in one call, for
 * the call costs more than the look. Throws BudgetExceeded when the time is up, and LibinjectionError.
 */
export type Detector = (texts: readonly string[], timeLeft: number) => boolean

/** SQL injection. */
export const sqlInjection: Detector = (texts, timeLeft) => {
  const deadline = performance.now() + timeLeft
  // One word is one token, and no fingerprint of one token is an injection.
  const words = texts.filter((text) => !isOneWord(text)).map(shortenRuns)
  const looked = [...words, ...words.flatMap((text) => namesAsNumbers(text.slice(0, windowSize)) ?? [])]
  if (
    ask(
      'sqli',
      looked.map((text) => text.slice(0, windowSize)),
      deadline,
    )
  )
    return true
  // It judges by the first five tokens: only strings and comments can make these longer than a window.
  const long = looked.filter((text) => text.length > windowSize && /['"`]|\/\*/.test(text.slice(0, 64)))
  return ask(
    'sqli',
    long.flatMap((text) => windowsOf(text.slice(windowSize - windowOverlap))),
    deadline,
  )
}

/** Cross-site scripting. */
export const crossSiteScripting: Detector = (texts, timeLeft) => {
  const deadline = performance.now() + timeLeft
  // Without < there is no tag, without = no attribute.
  const looked = texts.filter((text) => text.includes('<') || text.includes('='))
  return ask('xss', looked.flatMap(windowsOf), deadline)
}

function isOneWord(text: string): boolean {
  for (let i = 0; i < text.length; i++) if (!isAlphanumeric(text.charCodeAt(i))) return false
  return true
}

/** Cuts words and blanks to a length that makes the same tokens. */
function shortenRuns(text: string): string {
  if (text.length <= longestRun) return text
  let result = ''
  let kept = 0
  for (let i = 0; i < text.length; ) {
    const kind = runKind(text.charCodeAt(i))
    const start = i
    do i++
    while (kind !== 0 && i < text.length && runKind(text.charCodeAt(i)) === kind)
    if (i - start <= longestRun) continue
    result += text.slice(kept, start + longestRun)
    kept = i
  }
  return result + text.slice(kept)
}

/** 1 for a byte of a word, 2 for a blank, 0 for what stands alone. */
const runKind = (code: number) => (isAlphanumeric(code) ? 1 : isSpace(code) ? 2 : 0)

function windowsOf(text: string): string[] {
  if (text.length <= windowSize) return [text]
  const windows: string[] = []
  for (let start = 0; start < text.length; start += windowSize - windowOverlap) {
    windows.push(text.slice(start, start + windowSize))
  }
  return windows
}

/** libddwaf looks at no more entries of an array. */
const batchSize = 200

function ask(address: 'sqli' | 'xss', texts: readonly string[], deadline: number): boolean {
  for (let start = 0; start < texts.length; start += batchSize) {
    if (askBatch(address, texts.slice(start, start + batchSize), deadline)) return true
  }
  return false
}

/** Texts that were asked about lately and are clean. */
const clean = { sqli: new RecentAnswers<true>(), xss: new RecentAnswers<true>() }

function askBatch(address: 'sqli' | 'xss', all: readonly string[], deadline: number): boolean {
  const texts = all.filter((text) => !clean[address].get(text))
  if (texts.length === 0) return false
  const timeLeft = deadline - performance.now()
  if (timeLeft <= 0) throw new BudgetExceeded()
  const timeout = Math.max(shortestTimeout, Math.round(Math.min(timeLeft, longestTimeout) * 1_000))
  const result = instance().run({ ephemeral: { [address]: texts.map(asUtf8) } }, timeout)
  if (result.status === 'match') return true
  if (result.timeout) throw new BudgetExceeded()
  if (result.errorCode !== undefined) throw new LibinjectionError(`error ${result.errorCode}`)
  for (const text of texts) clean[address].set(text, true)
  return false
}

/** The string that libddwaf's UTF-8 turns into these very bytes, as far as they are UTF-8. */
function asUtf8(text: string): string {
  for (let i = 0; i < text.length; i++) {
    if (text.charCodeAt(i) > 0x7f) return Buffer.from(text, 'latin1').toString('utf8')
  }
  return text
}
