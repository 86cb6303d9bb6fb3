import type { Macro } from '../engine/macro.ts'
import type { Transaction } from '../engine/transaction.ts'
import type { Factors } from '../regex/factors.ts'

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
  | {
      readonly type: 'pattern'
      /** What stands in each text that it matches; none where nothing is known to. */
      readonly requirements: readonly Factors[]
      /** An expression for a set (see LinearRegexSet) over texts of a line each. */
      relaxed(): string
      /** Compiles it, so that no request waits for that. */
      prepare(): void
    }
  | { readonly type: 'phrases'; readonly phrases: readonly string[] }
  /** Whether one of the texts may match; `timeLeft` in milliseconds. */
  | { readonly type: 'any'; readonly any: (texts: readonly string[], timeLeft: number) => boolean }
