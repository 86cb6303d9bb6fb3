import { contains } from './compile-rules.ts'
import { foldConstants, markerAfter } from './fold-constants.ts'
import { runAtOnce } from './gradual.ts'
import type { Hit } from './hit.ts'
import { Prefilter } from './prefilter.ts'
import type { Phase, Rule, Step } from './rule.ts'
import { runRule } from './run-rule.ts'
import type { Transaction } from './transaction.ts'

interface PhaseProgram {
  readonly steps: readonly Step[]
  /** For each step the place of the marker that it skips to, -1 for none. */
  readonly skips: Int32Array
  /** Built when the phase first runs: nobody pays for the sets of a phase that is not used. */
  prefilter: Prefilter | undefined
}

/** Compiled rules in the form that they run in. */
export class Program {
  /** What every request begins with. */
  readonly variables: ReadonlyMap<string, string>
  readonly #phases: Readonly<Record<Phase, PhaseProgram>>

  /** `locked`: variables of settings, which rules cannot change. */
  constructor(steps: Readonly<Record<Phase, readonly Step[]>>, locked: ReadonlyMap<string, string>) {
    const folded = foldConstants(steps, locked)
    this.variables = folded.variables
    this.#phases = {
      1: phaseProgram(folded.steps[1]),
      2: phaseProgram(folded.steps[2]),
      3: phaseProgram(folded.steps[3]),
      4: phaseProgram(folded.steps[4]),
      5: phaseProgram([]),
    }
  }

  /** Builds what these phases need, so that no request waits for it. */
  *prepare(phases: readonly Phase[]): Generator<void, void> {
    for (const phase of phases) {
      const program = this.#phases[phase]
      program.prefilter ??= yield* Prefilter.build(program.steps)
    }
  }

  /**
   * Runs a phase; hits are added. Returns the rule that denies the request, 'allowed' where one ends the inspection.
   * Throws BudgetExceeded.
   */
  run(phase: Phase, transaction: Transaction, hits: Hit[]): Rule | 'allowed' | undefined {
    if (transaction.off) return 'allowed'
    const program = this.#phases[phase]
    const { steps, skips } = program
    program.prefilter ??= runAtOnce(Prefilter.build(steps))
    const { prefilter } = program
    const candidates = prefilter.candidates(transaction)
    const { covers } = prefilter
    for (let index = 0; index < steps.length; index++) {
      if (covers[index] === 1 && candidates[index] === 0) continue
      const step = steps[index]!
      if (step.type === 'marker' || isRemoved(step.rule, transaction)) continue
      const { matched, hit } = runRule(step.rule, transaction)
      if (!matched) continue
      if (hit) hits.push(hit)
      if (transaction.off || step.rule.allows) return 'allowed'
      if (step.rule.denies) return step.rule
      if (skips[index]! >= 0) index = skips[index]!
    }
    return undefined
  }
}

function phaseProgram(steps: readonly Step[]): PhaseProgram {
  const skips = Int32Array.from(steps, (step, index) =>
    step.type === 'rule' && step.rule.skipAfter !== undefined
      ? markerAfter(steps, index, step.rule.skipAfter)
      : -1,
  )
  return { steps, skips, prefilter: undefined }
}

function isRemoved({ id, tags }: Rule, { removedRules, removedTags }: Transaction): boolean {
  if (removedRules.length > 0 && contains(removedRules, id)) return true
  return removedTags.length > 0 && removedTags.some((tag) => tags.includes(tag))
}
