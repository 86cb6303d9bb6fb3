import type { Macro } from '../engine/macro.ts'
import type { Transaction } from '../engine/transaction.ts'

/** What an operator has found. */
export interface Found {
  /** The part that matched, then its groups. */
  readonly groups: readonly string[]
}

/** The test that a rule makes of a value. */
export interface Operator {
  /** Undefined where it does not match. */
  find(text: string, transaction: Transaction): Found | undefined
  /** Set where a pass over many values at once can tell that none of them matches. */
  readonly quick?: QuickTest
  /** Variables that its argument names. */
  readonly argument?: Macro
}

export type QuickTest =
  /** An expression for a set (see LinearRegexSet) over texts of a line each. */
  | { readonly type: 'pattern'; readonly pattern: string }
  | { readonly type: 'phrases'; readonly phrases: readonly string[] }
  /** Whether one of the texts may match; `timeLeft` in milliseconds. */
  | { readonly type: 'any'; readonly any: (texts: readonly string[], timeLeft: number) => boolean }
