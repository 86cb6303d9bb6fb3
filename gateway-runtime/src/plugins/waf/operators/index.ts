import { readFileSync } from 'node:fs'
import ipaddr from 'ipaddr.js'
import { type Macro, parseMacro } from '../engine/macro.ts'
import { type LinearRegex, linearEngine, writeForSet } from '../regex/engine.ts'
import { requirementsOf } from '../regex/factors.ts'
import { parsePattern } from '../regex/pattern-parser.ts'
import { PhraseMatcher } from '../regex/phrase-matcher.ts'
import { relaxedPattern } from '../regex/relaxed-pattern.ts'
import { remembering } from '../remembering.ts'
import { trim } from '../transformations/text-shapers.ts'
import { hasInvalidEncoding } from '../transformations/url-decode.ts'
import { isValidUtf8 } from '../transformations/utf8.ts'
import { byteRange } from './byte-range.ts'
import { crossSiteScripting, type Detector, sqlInjection } from './libinjection.ts'
import type { Found, Operator } from './operator.ts'

/** Makes an operator of its argument. Throws an Error that says what is wrong with the argument. */
type OperatorFactory = (argument: string) => Operator

/** Compares the value with the argument, which may hold macros. */
const comparison =
  (compare: (text: string, argument: string) => boolean): OperatorFactory =>
  (argument) => {
    const macro = parseMacro(argument)
    return {
      argument: macro,
      find: (text, transaction) =>
        compare(text, macro.fixed ?? macro.expand(transaction)) ? { groups: [text] } : undefined,
    }
  }

/** atoi(3): the number at the start of a text, 0 where there is none. */
const integer = (text: string) => Number.parseInt(text, 10) || 0

const numeric = (compare: (value: number, argument: number) => boolean) =>
  comparison((text, argument) => compare(integer(text), integer(argument)))

const predicate =
  (matches: (text: string) => boolean): OperatorFactory =>
  () => ({ find: (text) => (matches(text) ? { groups: [text] } : undefined) })

const operators: Readonly<Record<string, OperatorFactory>> = {
  beginswith: comparison((text, argument) => text.startsWith(argument)),
  contains: comparison((text, argument) => text.includes(argument)),
  containsword: containsWord,
  detectsqli: () => detector(sqlInjection),
  detectxss: () => detector(crossSiteScripting),
  endswith: comparison((text, argument) => text.endsWith(argument)),
  eq: numeric((value, argument) => value === argument),
  ge: numeric((value, argument) => value >= argument),
  gt: numeric((value, argument) => value > argument),
  ipmatch: (argument) => ipMatch(argument.split(',')),
  ipmatchf: (argument) => ipMatch(linesOf(argument)),
  ipmatchfromfile: (argument) => ipMatch(linesOf(argument)),
  le: numeric((value, argument) => value <= argument),
  lt: numeric((value, argument) => value < argument),
  nomatch: () => ({ find: () => undefined }),
  pm: (argument) => phrases(argument.split(/\s+/).map(pmPhrase)),
  pmf: (argument) => phrases(argument.split(/\s+/).flatMap(linesOf)),
  pmfromfile: (argument) => phrases(argument.split(/\s+/).flatMap(linesOf)),
  rx: regularExpression,
  streq: comparison((text, argument) => text === argument),
  strmatch: comparison((text, argument) => text.includes(argument)),
  unconditionalmatch: predicate(() => true),
  validatebyterange: (argument) => {
    const allowed = byteRange(argument)
    return predicate((text) => !allowed(text))('')
  },
  validateurlencoding: predicate(hasInvalidEncoding),
  validateutf8encoding: predicate((text) => !isValidUtf8(text)),
  within: comparison((text, argument) => argument.includes(text)),
}

/** Compiles an operator. Throws an Error that says what is not supported. */
export function compileOperator(name: string, argument: string): Operator {
  const factory = operators[name]
  if (!factory) throw new Error(`the operator @${name} is not supported`)
  return factory(argument)
}

const found = (matches: boolean, text: string): Found | undefined =>
  matches ? { groups: [text] } : undefined

const detector = (detect: Detector): Operator => ({
  quick: { type: 'any', any: detect },
  find: (text, transaction) => found(detect([text], transaction.timeLeft), text),
})

function regularExpression(argument: string): Operator {
  const macro = parseMacro(argument)
  if (macro.fixed === undefined) return growingExpression(macro)
  const parsed = parsePattern(argument)
  let regex: LinearRegex | undefined
  const compiled = () => {
    regex ??= linearEngine.compile(parsePattern(argument))
    return regex
  }
  return {
    quick: {
      type: 'pattern',
      requirements: requirementsOf(parsed),
      relaxed: () => writeForSet(relaxedPattern(parsePattern(argument))),
      prepare: compiled,
    },
    find: remembering((text) => {
      const groups = compiled().test(text) ? compiled().match(text) : undefined
      return groups && { groups }
    }),
  }
}

/** What macros put into an expression is configuration, and seldom another: the last one is kept. */
function growingExpression(macro: Macro): Operator {
  let last: { source: string; regex: ReturnType<typeof linearEngine.compile> } | undefined
  return {
    argument: macro,
    find: (text, transaction) => {
      const source = macro.expand(transaction)
      if (last?.source !== source) last = { source, regex: linearEngine.compile(parsePattern(source)) }
      const groups = last.regex.match(text)
      return groups && { groups }
    },
  }
}

function phrases(list: readonly string[]): Operator {
  const matcher = new PhraseMatcher([list])
  return {
    quick: { type: 'phrases', phrases: list },
    find: (text) => {
      const phrase = matcher.first(text)
      return phrase === undefined ? undefined : { groups: [phrase] }
    },
  }
}

/** Snort's |41 42| in @pm stands for bytes. */
function pmPhrase(phrase: string): string {
  return phrase.replace(/\|((?:[0-9A-Fa-f]{2} ?)+)\|/g, (_, bytes: string) =>
    Buffer.from(bytes.replaceAll(' ', ''), 'hex').toString('latin1'),
  )
}

/** Lines of a data file, without comments. */
function linesOf(file: string): string[] {
  return readFileSync(file, 'latin1')
    .split('\n')
    .map((line) => trim(line))
    .filter((line) => line !== '' && !line.startsWith('#'))
}

function ipMatch(list: readonly string[]): Operator {
  const ranges = list
    .map((range) => range.trim())
    .filter(Boolean)
    .map((range) => (range.includes('/') ? ipaddr.parseCIDR(range) : wholeAddress(range)))
  return {
    find: remembering((text) => {
      if (!ipaddr.isValid(text)) return undefined
      const address = ipaddr.process(text)
      return found(
        ranges.some(([network, bits]) => network.kind() === address.kind() && address.match(network, bits)),
        text,
      )
    }),
  }
}

function wholeAddress(text: string): ReturnType<typeof ipaddr.parseCIDR> {
  const address = ipaddr.parse(text)
  return [address, address.kind() === 'ipv4' ? 32 : 128]
}

function containsWord(argument: string): Operator {
  const escaped = argument.replace(/[^0-9A-Za-z]/g, '\\$&')
  return regularExpression(`(?:^|[^0-9A-Za-z_])${escaped}(?:$|[^0-9A-Za-z_])`)
}
