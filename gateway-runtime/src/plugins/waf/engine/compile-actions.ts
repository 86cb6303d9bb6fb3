import type { BodyProcessor } from '../body/parse-body.ts'
import { parseIds, parseVariables } from '../seclang/rule-parts.ts'
import type { ActionSyntax } from '../seclang/syntax.ts'
import { parseMacro } from './macro.ts'
import type { Assignment } from './rule.ts'
import { targetMatcher } from './targets.ts'
import type { Transaction } from './transaction.ts'

const severities = ['EMERGENCY', 'ALERT', 'CRITICAL', 'ERROR', 'WARNING', 'NOTICE', 'INFO', 'DEBUG']

/** The name of a severity, which rules also write as a number. */
export const severityName = (text: string): string => severities[Number(text)] ?? text.toUpperCase()

/** Actions that do nothing here: they name, or concern ModSecurity's own logs and stores. */
const inert = new Set([
  ...['id', 'phase', 'rev', 'ver', 'maturity', 'accuracy', 'status', 'auditlog', 'noauditlog', 'logdata'],
  ...[
    'initcol',
    'expirevar',
    'deprecatevar',
    'setsid',
    'setuid',
    'setrsc',
    'sanitisearg',
    'sanitiserequestheader',
  ],
  ...[
    'sanitisematched',
    'sanitisematchedbytes',
    'sanitiseresponseheader',
    'append',
    'prepend',
    'xmlns',
    'pause',
  ],
])
const known = new Set([
  ...['t', 'msg', 'tag', 'severity', 'setvar', 'ctl', 'chain', 'skipafter', 'capture', 'multimatch'],
  ...['pass', 'block', 'deny', 'drop', 'redirect', 'proxy', 'allow', 'log', 'nolog'],
])

/** Throws an Error that names an action which is not supported. */
export function checkActions(actions: readonly ActionSyntax[]): void {
  const unknown = actions.find(({ name }) => !known.has(name) && !inert.has(name))
  if (unknown) throw new Error(`the action ${unknown.name} is not supported`)
}

/**
 * Reads `tx.a=1`, `tx.a=+%{tx.b}`, `!tx.a`, `tx.a`. Undefined for the collections that ModSecurity keeps between
 * requests. Throws an Error where it cannot be read.
 */
export function parseAssignment(argument: string): Assignment | undefined {
  const [, bang, collection = '', name = '', equals, sign, value = ''] =
    /^(!?)([A-Za-z]+)[.:]([^=]+)(?:(=)([+-]?)(.*))?$/s.exec(argument) ?? []
  if (name === '') throw new Error(`setvar:${argument} cannot be read`)
  if (/^(?:ip|global|session|user|resource)$/i.test(collection)) return undefined
  if (!/^tx$/i.test(collection)) throw new Error(`setvar:${collection} is not supported`)
  const type = bang ? 'remove' : sign === '+' ? 'add' : sign === '-' ? 'subtract' : 'set'
  return { name: parseMacro(name), type, value: parseMacro(equals ? value : '1') }
}

const processors: Readonly<Record<string, BodyProcessor>> = {
  URLENCODED: 'URLENCODED',
  MULTIPART: 'MULTIPART',
  JSON: 'JSON',
  XML: 'XML',
}

/** Reads `ruleRemoveById=1-9`. Undefined for what is about ModSecurity's logs. Throws an Error for the unknown. */
export function parseControl(argument: string): ((transaction: Transaction) => void) | undefined {
  const equals = argument.indexOf('=')
  const name = argument.slice(0, equals).trim().toLowerCase()
  const value = argument.slice(equals + 1)
  switch (name) {
    case 'auditengine':
    case 'auditlogparts':
    case 'forcerequestbodyvariable': // REQUEST_BODY is always there
    case 'requestbodyaccess':
    case 'responsebodyaccess':
      return undefined
    case 'ruleengine':
      return /^off$/i.test(value) ? (transaction) => transaction.switchOff() : undefined
    case 'requestbodyprocessor': {
      const processor = processors[value.toUpperCase()]
      if (!processor) throw new Error(`ctl:requestBodyProcessor=${value} is not supported`)
      return (transaction) => {
        transaction.processor = processor
      }
    }
    case 'ruleremovebyid': {
      const ranges = parseIds([value])
      return (transaction) => transaction.removedRules.push(...ranges)
    }
    case 'ruleremovebytag':
      return (transaction) => transaction.removedTags.push(value)
    case 'ruleremovetargetbyid':
    case 'ruleremovetargetbytag':
      return removeTarget(name === 'ruleremovetargetbyid', value)
    default:
      throw new Error(`ctl:${name} is not supported`)
  }
}

/** `942100;ARGS:password` */
function removeTarget(byId: boolean, value: string): (transaction: Transaction) => void {
  const semicolon = value.indexOf(';')
  const rules = value.slice(0, semicolon)
  const targets = parseVariables(value.slice(semicolon + 1)).map(targetMatcher)
  const ranges = byId ? parseIds([rules]) : []
  const applies = byId
    ? (id: number) => ranges.some(({ from, to }) => id >= from && id <= to)
    : (_: number, tags: readonly string[]) => tags.includes(rules)
  return (transaction) => {
    for (const target of targets) transaction.removedTargets.push({ applies, target })
  }
}
