import type { Operator } from '../operators/operator.ts'
import type { Location } from '../seclang/syntax.ts'
import type { Chain } from '../transformations/chain.ts'
import type { Macro } from './macro.ts'
import type { TargetList } from './targets.ts'
import type { Transaction } from './transaction.ts'

/** Phases of SecLang: request headers, request body, response headers, response body, log. */
export type Phase = 1 | 2 | 3 | 4 | 5

/** `setvar:tx.score=+%{tx.critical_anomaly_score}`. */
export interface Assignment {
  readonly name: Macro
  /** `remove` has no value. */
  readonly type: 'set' | 'add' | 'subtract' | 'remove'
  readonly value: Macro
}

/** A rule, compiled. */
export interface Rule {
  /** 0 where a chained rule has none. */
  readonly id: number
  readonly phase: Phase
  readonly location: Location
  readonly targets: TargetList
  readonly chain: Chain
  /** Each step of the transformations is tried, not only the last. */
  readonly multiMatch: boolean
  /** Undefined for a SecAction, which always matches. */
  readonly operator: Operator | undefined
  readonly negated: boolean
  readonly captures: boolean
  readonly assignments: readonly Assignment[]
  readonly controls: readonly ((transaction: Transaction) => void)[]
  /** deny, drop and the like; block has become what SecDefaultAction says. */
  readonly denies: boolean
  readonly allows: boolean
  readonly logs: boolean
  readonly message: Macro
  readonly severity: string
  readonly tags: readonly string[]
  readonly skipAfter: string | undefined
  readonly next: Rule | undefined
}

/** A rule or a place to skip to. */
export type Step =
  | { readonly type: 'rule'; readonly rule: Rule }
  | { readonly type: 'marker'; readonly name: string }
