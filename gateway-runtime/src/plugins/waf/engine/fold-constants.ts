import type { Phase, Rule, Step } from './rule.ts'
import { runRule } from './run-rule.ts'
import { Transaction } from './transaction.ts'
import { TxVariables } from './tx-variables.ts'

/** Rules without what can be computed before any request. */
export interface FoldedRules {
  readonly steps: Readonly<Record<Phase, readonly Step[]>>
  /** Variables that every request begins with. */
  readonly variables: ReadonlyMap<string, string>
}

const nobody = { method: '', target: '', protocol: '', headers: [], clientAddress: '' }

/**
 * Runs the rules at the beginning of phase 1 that depend on no request (they set defaults), then decides the gates
 * behind which a paranoia level or a set of exclusions stands: a gate whose variables no later rule sets is open or
 * shut for good, and what is never reached is taken out. `locked` are values of settings, which rules cannot change.
 */
export function foldConstants(
  steps: Readonly<Record<Phase, readonly Step[]>>,
  locked: ReadonlyMap<string, string>,
): FoldedRules {
  const constants = new Transaction(
    nobody,
    new TxVariables(locked, new Set(locked.keys())),
    { arguments: 0, depth: 0 },
    Number.POSITIVE_INFINITY,
  )
  const rest = runPrologue(steps[1], constants)
  const later = { ...steps, 1: rest }
  const isAssigned = assignedNames(Object.values(later).flat())
  const variables = new Map(constants.tx.all())
  const folded = { 1: [], 2: [], 3: [], 4: [], 5: [] } as Record<Phase, readonly Step[]>
  for (const phase of [1, 2, 3, 4, 5] as const) {
    folded[phase] = foldGates(later[phase], constants, isAssigned)
  }
  return { steps: folded, variables }
}

function runPrologue(steps: readonly Step[], constants: Transaction): readonly Step[] {
  let index = 0
  while (index < steps.length) {
    const step = steps[index]!
    const next = step.type === 'marker' ? index : placeAfter(steps, index, step.rule, constants)
    if (next === undefined) break
    index = next + 1
  }
  return steps.slice(index)
}

/** Runs a rule of the prologue. The place that it leads to; undefined where it is to be run with each request. */
function placeAfter(
  steps: readonly Step[],
  index: number,
  rule: Rule,
  constants: Transaction,
): number | undefined {
  const ends = rule.denies || rule.allows
  if (!isPrologue(rule) || (ends && assigns(rule))) return undefined
  const { matched } = runRule(rule, constants)
  if (!matched) return index
  if (ends) return undefined
  if (rule.skipAfter === undefined) return index
  const marker = markerAfter(steps, index, rule.skipAfter)
  return marker < 0 ? undefined : marker
}

const assigns = (rule: Rule): boolean =>
  rule.assignments.length > 0 || (rule.next !== undefined && assigns(rule.next))

/** Depends on variables of rules alone, and does nothing but set them, deny or allow. */
function isPrologue(rule: Rule): boolean {
  const macros = rule.assignments.flatMap(({ name, value }) => [...name.variables, ...value.variables])
  return (
    looksAtVariables(rule) &&
    rule.controls.length === 0 &&
    macros.every((name) => name.startsWith('tx.')) &&
    (rule.next === undefined || isPrologue(rule.next))
  )
}

/** Whether a rule looks at named variables of rules, and nothing else. */
function looksAtVariables(rule: Rule): boolean {
  return (
    rule.targets.targets.every(({ collection, name }) => collection === 'TX' && name !== undefined) &&
    (rule.operator?.argument?.variables ?? []).every((name) => name.startsWith('tx.'))
  )
}

/** Tells names that rules may set; of some only the beginning is known before they run. */
function assignedNames(steps: readonly Step[]): (name: string) => boolean {
  const names = new Set<string>()
  const prefixes = new Set<string>()
  for (const step of steps) {
    for (let rule = step.type === 'rule' ? step.rule : undefined; rule; rule = rule.next) {
      for (const { name } of rule.assignments) {
        if (name.fixed === undefined) prefixes.add(name.prefix.toLowerCase())
        else names.add(name.fixed.toLowerCase())
      }
      if (rule.captures) for (let group = 0; group < 10; group++) names.add(String(group))
    }
  }
  return (name) => names.has(name) || [...prefixes].some((prefix) => name.startsWith(prefix))
}

function foldGates(
  steps: readonly Step[],
  constants: Transaction,
  isAssigned: (name: string) => boolean,
): readonly Step[] {
  const folded: Step[] = []
  for (let index = 0; index < steps.length; index++) {
    const step = steps[index]!
    if (step.type === 'marker' || !isGate(step.rule, isAssigned)) {
      folded.push(step)
      continue
    }
    if (!runRule(step.rule, constants).matched) continue
    const marker = markerAfter(steps, index, step.rule.skipAfter!)
    // Another rule may skip to a marker in between, and what follows it is reached then.
    const between = marker < 0 ? undefined : steps.slice(index + 1, marker)
    if (between?.every(({ type }) => type === 'rule')) index = marker - 1
    else folded.push(step)
  }
  return folded
}

function isGate(rule: Rule, isAssigned: (name: string) => boolean): boolean {
  const names = [
    ...rule.targets.targets.map(({ name }) => name ?? ''),
    ...(rule.operator?.argument?.variables ?? []).map((name) => name.slice(3)),
  ]
  return (
    rule.skipAfter !== undefined &&
    rule.next === undefined &&
    rule.assignments.length === 0 &&
    rule.controls.length === 0 &&
    !rule.denies &&
    !rule.allows &&
    looksAtVariables(rule) &&
    !names.some(isAssigned)
  )
}

/** Place of a marker behind a step, -1 where there is none. */
export function markerAfter(steps: readonly Step[], index: number, name: string): number {
  return steps.findIndex((step, place) => place > index && step.type === 'marker' && step.name === name)
}
