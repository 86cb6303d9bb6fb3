import { parseIds, parseVariables } from '../seclang/rule-parts.ts'
import { normalizePath } from '../transformations/paths.ts'
import { percentDecode } from '../transformations/url-decode.ts'
import { contains } from './compile-rules.ts'
import type { Exclusion } from './settings.ts'
import { targetMatcher } from './targets.ts'
import type { Transaction } from './transaction.ts'

/** Applies an exclusion to a request. */
export type CompiledExclusion = (transaction: Transaction) => void

/** Throws an Error that names what cannot be read. */
export function compileExclusions(exclusions: readonly Exclusion[]): CompiledExclusion[] {
  return exclusions.map(compileExclusion)
}

function compileExclusion({ rules = [], tags = [], path, route, variables }: Exclusion): CompiledExclusion {
  const ranges = parseIds(rules.map(String))
  const all = rules.length === 0 && tags.length === 0
  const matchers = parseVariables((variables ?? []).join('|')).map(targetMatcher)
  const applies = (id: number, ruleTags: readonly string[]) =>
    all || contains(ranges, id) || tags.some((tag) => ruleTags.includes(tag))
  return (transaction) => {
    if (route !== undefined && route !== transaction.facts.route) return
    if (path !== undefined && !pathOf(transaction).startsWith(path)) return
    if (variables !== undefined) {
      transaction.removedTargets.push(...matchers.map((target) => ({ applies, target })))
    } else if (all) transaction.switchOff()
    else {
      transaction.removedRules.push(...ranges)
      transaction.removedTags.push(...tags)
    }
  }
}

function pathOf({ facts }: Transaction): string {
  const end = facts.target.search(/[?#]/)
  return normalizePath(percentDecode(end < 0 ? facts.target : facts.target.slice(0, end)))
}
