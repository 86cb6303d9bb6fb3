import { parseBody, processorFor } from '../body/parse-body.ts'
import { BudgetExceeded } from '../budget-exceeded.ts'
import { readRules } from '../seclang/rule-files.ts'
import { type CompiledRules, compileRules, type RefusedRule } from './compile-rules.ts'
import { type CompiledExclusion, compileExclusions } from './exclusions.ts'
import { runAtOnce, runGradually } from './gradual.ts'
import type { Hit } from './hit.ts'
import { Program } from './program.ts'
import type { RequestFacts, ResponseFacts } from './request-facts.ts'
import type { Phase, Rule } from './rule.ts'
import type { WafSettings } from './settings.ts'
import { Transaction } from './transaction.ts'
import { TxVariables } from './tx-variables.ts'

/** What the firewall thinks of a request. */
export interface WafResult {
  /** Whether it is to be refused. Never in mode `detect`. */
  readonly blocked: boolean
  /** Whether rules or a failure would have it refused, whatever the mode is. */
  readonly suspicious: boolean
  /** Anomaly score of the rules of the executing paranoia level. */
  readonly score: number
  readonly hits: readonly Hit[]
  /** Why it could not be inspected to its end. */
  readonly failure: WafFailure | undefined
}

export interface WafFailure {
  readonly reason: 'body-unparsable' | 'body-cut' | 'time-budget' | 'engine-error'
  /** For people; holds nothing of the request's content. */
  readonly detail: string
}

/** What became of the rules of a rule set. */
export interface RuleReport {
  /** `OWASP_CRS/4.10.0` */
  readonly signatures: readonly string[]
  readonly rules: number
  readonly refused: readonly RefusedRule[]
}

const defaults = { timeBudget: 100, maxArguments: 1_000, maxDepth: 64 }

/** A firewall over the rules of SecLang, such as the OWASP Core Rule Set. It holds no state of requests. */
export class WafEngine {
  readonly report: RuleReport
  readonly #settings: WafSettings
  readonly #program: Program
  readonly #locked: ReadonlySet<string>
  readonly #exclusions: readonly CompiledExclusion[]

  private constructor(compiled: CompiledRules, refused: readonly RefusedRule[], settings: WafSettings) {
    const locked = lockedVariables(settings)
    this.#settings = settings
    this.#program = new Program(compiled.steps, locked)
    this.#locked = new Set(locked.keys())
    this.#exclusions = compileExclusions(settings.exclusions ?? [])
    const phases: readonly Phase[] = [1, 2, 3, 4, 5]
    const rules = phases.flatMap((phase) => compiled.steps[phase]).filter(({ type }) => type === 'rule')
    this.report = { signatures: compiled.signatures, rules: rules.length, refused }
  }

  /**
   * Loads the rules of a folder or file (see readRules); takes some hundred milliseconds. Rules that cannot be taken are
   * in the report. Throws an Error where there are no rules, or an exclusion cannot be read.
   */
  static load(path: string, settings: WafSettings): WafEngine {
    return runAtOnce(WafEngine.#load(path, settings))
  }

  /** The same on a thread that goes on answering requests meanwhile. Rejected where load throws. */
  static loadGradually(path: string, settings: WafSettings): Promise<WafEngine> {
    return runGradually(WafEngine.#load(path, settings))
  }

  static *#load(path: string, settings: WafSettings): Generator<void, WafEngine> {
    const { directives, errors } = readRules(path)
    yield
    const compiled = yield* compileRules(directives)
    const unread = errors.map(({ location, message }) => ({ id: undefined, location, reason: message }))
    const engine = new WafEngine(compiled, [...unread, ...compiled.refused], settings)
    yield* engine.#program.prepare(settings.inspectsResponses ? [1, 2, 3, 4] : [1, 2])
    return engine
  }

  /** Inspects a request; never throws. `timeBudget`: milliseconds, where it is another than that of the settings. */
  inspect(facts: RequestFacts, timeBudget?: number): WafResult {
    const transaction = this.#transaction(facts, timeBudget)
    return this.#judge(transaction, (hits) => this.#runRequest(transaction, hits))
  }

  /**
   * Inspects the answer to a request; never throws. What rules have remembered of the request itself they do not know
   * any more.
   */
  inspectResponse(facts: RequestFacts, response: ResponseFacts): WafResult {
    const transaction = this.#transaction(facts)
    transaction.response = response
    return this.#judge(transaction, (hits) => this.#runResponse(transaction, hits))
  }

  #judge(transaction: Transaction, run: (hits: Hit[]) => Rule | undefined): WafResult {
    const hits: Hit[] = []
    let denied: Rule | undefined
    let failure: WafFailure | undefined
    try {
      denied = run(hits)
      failure = failureOf(transaction)
    } catch (error) {
      failure = failureFrom(error)
    }
    const failed = failure !== undefined && this.#settings.onFailure !== 'allow'
    const suspicious = denied !== undefined || failed
    const blocked = suspicious && this.#settings.mode === 'block'
    return { blocked, suspicious, score: scoreOf(transaction), hits, failure }
  }

  #transaction(facts: RequestFacts, ownBudget?: number): Transaction {
    const { maxArguments, maxDepth } = this.#settings
    const timeBudget = ownBudget ?? this.#settings.timeBudget
    const transaction = new Transaction(
      facts,
      new TxVariables(this.#program.variables, this.#locked),
      { arguments: maxArguments ?? defaults.maxArguments, depth: maxDepth ?? defaults.maxDepth },
      performance.now() + (timeBudget ?? defaults.timeBudget),
    )
    for (const exclusion of this.#exclusions) exclusion(transaction)
    return transaction
  }

  #runResponse(transaction: Transaction, hits: Hit[]): Rule | undefined {
    for (const phase of [3, 4] as const) {
      const denied = this.#program.run(phase, transaction, hits)
      if (denied !== undefined) return denied === 'allowed' ? undefined : denied
    }
    return undefined
  }

  #runRequest(transaction: Transaction, hits: Hit[]): Rule | undefined {
    const { facts } = transaction
    const contentType = facts.headers.find(([name]) => name.toLowerCase() === 'content-type')?.[1] ?? ''
    transaction.processor = processorFor(contentType)
    const headers = this.#program.run(1, transaction, hits)
    if (headers !== undefined) return headers === 'allowed' ? undefined : headers
    if (facts.body !== undefined && facts.body.length > 0) {
      transaction.bodyText = Buffer.from(
        facts.body.buffer,
        facts.body.byteOffset,
        facts.body.length,
      ).toString('latin1')
      transaction.body = parseBody(
        transaction.bodyText,
        transaction.processor,
        contentType,
        transaction.limits,
      )
    }
    transaction.refresh()
    const body = this.#program.run(2, transaction, hits)
    return body === 'allowed' ? undefined : body
  }
}

/** Names that versions 3 and 4 of the Core Rule Set give to their settings. */
function lockedVariables(settings: WafSettings): Map<string, string> {
  const locked = new Map<string, string>()
  const lock = (value: string | number | undefined, ...names: readonly string[]) => {
    if (value !== undefined) for (const name of names) locked.set(name, String(value))
  }
  lock(settings.paranoiaLevel, 'paranoia_level', 'executing_paranoia_level')
  lock(settings.paranoiaLevel, 'blocking_paranoia_level', 'detection_paranoia_level')
  lock(settings.anomalyThreshold, 'inbound_anomaly_score_threshold')
  lock(settings.outboundThreshold, 'outbound_anomaly_score_threshold')
  lock(settings.allowedMethods?.join(' '), 'allowed_methods')
  return locked
}

const scoreNames = [
  ...['blocking_inbound_anomaly_score', 'anomaly_score', 'inbound_anomaly_score'],
  ...['blocking_outbound_anomaly_score', 'outbound_anomaly_score'],
]

const scoreOf = ({ tx }: Transaction): number =>
  Math.max(0, ...scoreNames.map((name) => Number.parseInt(tx.get(name) ?? '0', 10) || 0))

function failureOf({ facts, response, body, queryProblem }: Transaction): WafFailure | undefined {
  if (response) return undefined
  if (facts.bodyCut) return { reason: 'body-cut', detail: 'the body is longer than what is inspected' }
  const problem = body.problem ?? queryProblem
  return problem === undefined ? undefined : { reason: 'body-unparsable', detail: problem }
}

function failureFrom(error: unknown): WafFailure {
  if (error instanceof BudgetExceeded) return { reason: 'time-budget', detail: 'the time budget is used up' }
  return { reason: 'engine-error', detail: error instanceof Error ? error.name : 'unknown' }
}
