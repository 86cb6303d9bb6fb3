import type { Found } from '../operators/operator.ts'
import { type Entry, entryName } from './entry.ts'
import { type Hit, maskedPart } from './hit.ts'
import { stagesOf } from './prefilter.ts'
import type { Assignment, Rule } from './rule.ts'
import { isMeant } from './targets.ts'
import type { Transaction } from './transaction.ts'

/** Rules tried between two looks at the clock. */
const timeCheckInterval = 32

/** Hits of one rule that are kept; a request with a thousand bad arguments needs no thousand lines. */
const maxValuesTried = 4_096

let untilTimeCheck = timeCheckInterval

/** Tries a rule with those chained to it; what it does is done. The hit, where all match and the rule logs. */
export function runRule(rule: Rule, transaction: Transaction): { matched: boolean; hit: Hit | undefined } {
  transaction.matchedAll = []
  if (!matches(rule, transaction)) return { matched: false, hit: undefined }
  return { matched: true, hit: rule.logs ? hitOf(rule, transaction) : undefined }
}

function matches(rule: Rule, transaction: Transaction): boolean {
  if (--untilTimeCheck <= 0) {
    untilTimeCheck = timeCheckInterval
    transaction.checkTime()
  }
  if (!matchesTargets(rule, transaction)) return false
  if (rule.next && !matches(rule.next, transaction)) return false
  for (const control of rule.controls) control(transaction)
  return true
}

function matchesTargets(rule: Rule, transaction: Transaction): boolean {
  if (!rule.operator) {
    assign(rule, transaction)
    return true
  }
  let matched = false
  const removed = transaction.removedTargets.filter(({ applies }) => applies(rule.id, rule.tags))
  const entries = rule.targets.resolve(transaction)
  if (entries.length > maxValuesTried) transaction.checkTime()
  for (const entry of entries) {
    if (removed.some(({ target }) => isMeant(target, entry))) continue
    for (const text of textsOf(rule, entry)) {
      const found = rule.operator.find(text, transaction)
      if ((found !== undefined) === rule.negated) continue
      matched = true
      note(rule, transaction, entry, text, found)
    }
  }
  return matched
}

function textsOf(rule: Rule, { value }: Entry): readonly string[] {
  if (!rule.multiMatch) return [value.through(rule.chain)]
  return [...new Set(stagesOf(rule.chain).map((stage) => value.through(stage)))]
}

/** Each value that matches sets variables, as in ModSecurity: two bad arguments count twice. */
function note(
  rule: Rule,
  transaction: Transaction,
  entry: Entry,
  text: string,
  found: Found | undefined,
): void {
  const shown = found?.groups[0] ?? text
  transaction.matched = { entry, text, shown }
  transaction.matchedAll.push(transaction.matched)
  if (rule.captures && found) {
    for (let group = 0; group < Math.min(found.groups.length, 10); group++) {
      transaction.tx.set(String(group), found.groups[group])
    }
  }
  assign(rule, transaction)
}

function assign(rule: Rule, transaction: Transaction): void {
  for (const assignment of rule.assignments) {
    const name = (assignment.name.fixed ?? assignment.name.expand(transaction, rule)).toLowerCase()
    transaction.tx.set(name, assignedValue(assignment, transaction.tx.get(name), transaction, rule))
  }
}

function assignedValue(
  { type, value }: Assignment,
  before: string | undefined,
  transaction: Transaction,
  rule: Rule,
): string | undefined {
  if (type === 'remove') return undefined
  const operand = value.fixed ?? value.expand(transaction, rule)
  if (type === 'set') return operand
  const sign = type === 'add' ? 1 : -1
  return String((Number.parseInt(before ?? '0', 10) || 0) + sign * (Number.parseInt(operand, 10) || 0))
}

function hitOf(rule: Rule, transaction: Transaction): Hit {
  const { matched } = transaction
  const variable = matched ? entryName(matched.entry) : ''
  return {
    ruleId: rule.id,
    message: rule.message.expand(transaction, rule),
    severity: rule.severity,
    variable,
    matched: matched ? maskedPart(variable, matched.shown) : '',
    tags: rule.tags,
  }
}
