import type { BodyProcessor } from '../body/parse-body.ts'
import { type BodyLimits, emptyBody, type ParsedBody } from '../body/parsed-body.ts'
import { BudgetExceeded } from '../budget-exceeded.ts'
import type { IdRange } from '../seclang/syntax.ts'
import { collections } from './collections.ts'
import { type Entry, entry } from './entry.ts'
import type { RequestFacts, ResponseFacts } from './request-facts.ts'
import type { TargetMatcher } from './targets.ts'
import type { TxVariables } from './tx-variables.ts'

/** What a rule has matched last. */
export interface Matched {
  readonly entry: Entry
  /** After the transformations. */
  readonly text: string
  /** The part of it that the operator found. */
  readonly shown: string
}

/** A target that some rules shall not look at in this request. */
export interface RemovedTarget {
  readonly applies: (ruleId: number, tags: readonly string[]) => boolean
  readonly target: TargetMatcher
}

/** One request on its way through the rules. */
export class Transaction {
  readonly facts: RequestFacts
  readonly tx: TxVariables
  readonly limits: BodyLimits
  /** performance.now() at which the time is used up. */
  readonly #deadline: number
  body: ParsedBody = emptyBody
  /** The bytes of the body, once it is there. */
  bodyText = ''
  processor: BodyProcessor | undefined
  response: ResponseFacts | undefined
  matched: Matched | undefined
  /** Of the rule that is being tried, and of those it is chained to. */
  matchedAll: Matched[] = []
  /** What detectors said of values, which several rules ask. */
  readonly detected: { readonly any: unknown; readonly key: string; readonly answer: boolean }[] = []
  /** What the query could not be read for. */
  queryProblem: string | undefined
  /** ctl:ruleEngine=Off */
  off = false
  readonly removedRules: IdRange[] = []
  readonly removedTags: string[] = []
  readonly removedTargets: RemovedTarget[] = []
  readonly #collections = new Map<string, readonly Entry[]>()
  readonly #targetLists: (readonly Entry[] | undefined)[] = []

  constructor(facts: RequestFacts, tx: TxVariables, limits: BodyLimits, deadline: number) {
    this.facts = facts
    this.tx = tx
    this.limits = limits
    this.#deadline = deadline
  }

  /** Throws BudgetExceeded once the time is used up. */
  checkTime(): void {
    if (performance.now() > this.#deadline) throw new BudgetExceeded()
  }

  switchOff(): void {
    this.off = true
  }

  /** Milliseconds left, at least 0. */
  get timeLeft(): number {
    return Math.max(0, this.#deadline - performance.now())
  }

  /** Entries of a collection; those of rules' own variables are made anew, others once a phase. */
  collection(name: string): readonly Entry[] {
    const variable = volatile[name]
    if (variable) return variable(this)
    let entries = this.#collections.get(name)
    if (!entries) {
      entries = collections[name]?.(this) ?? []
      this.#collections.set(name, entries)
    }
    return entries
  }

  /** Entries of a list of targets that do not change within a phase. */
  targetList(id: number, resolve: (transaction: Transaction) => readonly Entry[]): readonly Entry[] {
    let entries = this.#targetLists[id]
    if (!entries) this.#targetLists[id] = entries = resolve(this)
    return entries
  }

  /** Forgets what was collected: a body or an answer has come. */
  refresh(): void {
    this.#collections.clear()
    this.#targetLists.length = 0
  }
}

const names = (matched: Matched) =>
  matched.entry.key === '' ? matched.entry.collection : `${matched.entry.collection}:${matched.entry.key}`

/** Collections that rules change while they run. */
const volatile: Readonly<Record<string, (transaction: Transaction) => readonly Entry[]>> = {
  TX: ({ tx }) => [...tx.all()].map(([name, value]) => entry('TX', name, value)),
  MATCHED_VAR: ({ matched }) => (matched ? [entry('MATCHED_VAR', '', matched.text)] : []),
  MATCHED_VAR_NAME: ({ matched }) => (matched ? [entry('MATCHED_VAR_NAME', '', names(matched))] : []),
  MATCHED_VARS: ({ matchedAll }) =>
    matchedAll.map((matched) => entry('MATCHED_VARS', names(matched), matched.text)),
  MATCHED_VARS_NAMES: ({ matchedAll }) =>
    matchedAll.map((matched) => entry('MATCHED_VARS_NAMES', names(matched), names(matched))),
  DURATION: () => [entry('DURATION', '', String(Math.round(performance.now() * 1_000) % 1_000_000))],
}

/** Whether the collection changes while a phase runs. */
export const isVolatile = (collection: string): boolean => collection in volatile
