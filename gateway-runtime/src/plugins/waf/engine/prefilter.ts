import type { Operator } from '../operators/operator.ts'
import { compileSet, type LinearRegexSet } from '../regex/engine.ts'
import type { Factors } from '../regex/factors.ts'
import type { Chain } from '../transformations/chain.ts'
import type { Entry } from './entry.ts'
import type { Rule, Step } from './rule.ts'
import { Screen } from './screen.ts'
import { covers, type TargetList } from './targets.ts'
import type { Transaction } from './transaction.ts'

/**
 * Characters of all patterns of a set. Larger sets no longer fit in the cache of the engine's lazily built automaton,
 * which it then builds anew with every text: a set of 76,000 took 800 µs a request, its parts of 4,000 some 40.
 */
const maxSetLength = 4_000

/** Rules that look at the same values through the same transformations. */
interface Group {
  readonly targets: TargetList
  readonly chain: Chain
  /** Patterns of which is not known what they require. */
  readonly patterns: readonly { readonly set: LinearRegexSet; readonly steps: readonly number[] }[]
  /** Whether it has rules that the screen knows. */
  readonly isScreened: boolean
  readonly detectors: readonly { readonly any: Detect; readonly step: number }[]
}

type Detect = (texts: readonly string[], timeLeft: number) => boolean

/** A rule that the screen knows, in the order of the screen. */
interface Screened {
  readonly group: number
  readonly step: number
  /** Looks closer; undefined where what the screen says is the answer. */
  readonly find: Operator['find'] | undefined
}

/**
 * Tells which rules of a phase need to be tried at all. A screen tells of each value what may match it, which is then
 * looked at. For rules that the screen cannot know, all values that a group of rules looks at are put together, a line
 * each, and one pass over them finds every pattern that may match one.
 */
export class Prefilter {
  /** 1 for each step that is a rule which this filter knows. */
  readonly covers: Uint8Array
  readonly #groups: readonly Group[]
  readonly #screen: Screen
  readonly #screened: readonly Screened[]

  private constructor(
    covers: Uint8Array,
    groups: readonly Group[],
    screened: readonly (Screened & { readonly requirements: readonly Factors[] })[],
  ) {
    this.covers = covers
    this.#groups = groups
    this.#screen = new Screen(screened.map(({ requirements }) => requirements))
    this.#screened = screened.map(({ group, step, find }) => ({ group, step, find }))
  }

  /** Compiles a pattern or a set at a time. */
  static *build(steps: readonly Step[]): Generator<void, Prefilter> {
    const covers = Uint8Array.from(steps, (step) => (step.type === 'rule' && isCovered(step.rule) ? 1 : 0))
    const groups: Group[] = []
    const screened: (Screened & { readonly requirements: readonly Factors[] })[] = []
    for (const draft of draftsOf(steps)) {
      const own = yield* screenedOf(draft, groups.length)
      screened.push(...own)
      groups.push(yield* groupOf(draft, own.length > 0))
    }
    return new Prefilter(covers, groups, screened)
  }

  /** 1 for each step that may match. Throws BudgetExceeded. */
  candidates(transaction: Transaction): Uint8Array {
    const found = new Uint8Array(this.covers.length)
    this.#groups.forEach((group, index) => {
      const entries = group.targets.resolve(transaction)
      if (entries.length === 0) return
      transaction.checkTime()
      if (group.isScreened) this.#screenEntries(entries, index, transaction, found)
      if (group.detectors.length + group.patterns.length > 0)
        markCandidates(group, entries, transaction, found)
    })
    return found
  }

  #screenEntries(
    entries: readonly Entry[],
    index: number,
    transaction: Transaction,
    found: Uint8Array,
  ): void {
    const { chain } = this.#groups[index]!
    const { possible } = this.#screen
    for (const { value } of entries) {
      const text = value.through(chain)
      for (const pattern of value.answer(possible, text)) {
        const { group, step, find } = this.#screened[pattern]!
        if (group !== index || found[step] === 1) continue
        transaction.checkTime()
        if (!find || find(text, transaction)) found[step] = 1
      }
    }
  }
}

function markCandidates(
  group: Group,
  entries: readonly Entry[],
  transaction: Transaction,
  found: Uint8Array,
): void {
  const texts = entries.map(({ value }) => value.through(group.chain))
  for (const { any, step } of group.detectors) {
    if (asks(any, texts, transaction)) found[step] = 1
  }
  if (group.patterns.length === 0) return
  const text = texts.length === 1 ? texts[0]! : texts.join('\n')
  for (const { set, steps } of group.patterns) {
    transaction.checkTime()
    for (const index of set.matches(text)) found[steps[index]!] = 1
  }
}

/** Asks a detector once about the same values, however many transformations have left them as they are. */
function asks(any: Detect, texts: readonly string[], transaction: Transaction): boolean {
  const key = texts.join('\n')
  const known = transaction.detected.find((entry) => entry.any === any && entry.key === key)
  if (known) return known.answer
  const answer = any(texts, transaction.timeLeft)
  transaction.detected.push({ any, key, answer })
  return answer
}

const isCovered = (rule: Rule) =>
  rule.operator?.quick !== undefined &&
  !rule.negated &&
  rule.targets.steady &&
  rule.targets.targets.length > 0

interface Draft {
  readonly targets: TargetList
  readonly chain: Chain
  readonly members: { readonly rule: Rule; readonly step: number }[]
}

function draftsOf(steps: readonly Step[]): Draft[] {
  const drafts = new Map<string, Draft>()
  steps.forEach((item, step) => {
    if (item.type !== 'rule' || !isCovered(item.rule)) return
    const { targets } = item.rule
    for (const chain of item.rule.multiMatch ? stagesOf(item.rule.chain) : [item.rule.chain]) {
      const key = `${targets.id} ${chain.id}`
      const draft = drafts.get(key) ?? { targets, chain, members: [] }
      drafts.set(key, draft)
      draft.members.push({ rule: item.rule, step })
    }
  })
  return merged([...drafts.values()])
}

/** Puts groups into those that look at the same values and more: a rule too many is tried now and then, passes are saved. */
function merged(drafts: readonly Draft[]): Draft[] {
  const kept: Draft[] = []
  for (const draft of drafts.toSorted((a, b) => b.targets.targets.length - a.targets.targets.length)) {
    const whole = kept.find(({ chain, targets }) => chain === draft.chain && covers(targets, draft.targets))
    // A path or a header alone is short; with the body it would be searched for what it cannot have.
    if (whole && (draft.targets.targets.length > 1 || draft.targets.targets[0]!.collection === 'ARGS')) {
      whole.members.push(...draft.members)
    } else kept.push(draft)
  }
  return kept
}

/** The chain and all its beginnings. */
export function stagesOf(chain: Chain): Chain[] {
  return chain.before ? [...stagesOf(chain.before), chain] : [chain]
}

/** Rules whose patterns are known to require something. */
function* screenedOf(
  { members }: Draft,
  group: number,
): Generator<void, (Screened & { readonly requirements: readonly Factors[] })[]> {
  const screened: (Screened & { readonly requirements: readonly Factors[] })[] = []
  for (const { rule, step } of members) {
    const { quick, find } = rule.operator!
    if (quick!.type === 'phrases')
      screened.push({ group, step, requirements: [quick!.phrases], find: undefined })
    else if (quick!.type === 'pattern' && quick!.requirements.length > 0) {
      quick!.prepare()
      screened.push({ group, step, requirements: quick!.requirements, find })
      yield
    }
  }
  return screened
}

function* groupOf({ targets, chain, members }: Draft, isScreened: boolean): Generator<void, Group> {
  const patterns: { pattern: string; step: number }[] = []
  const detectors: { any: Detect; step: number }[] = []
  for (const { rule, step } of members) {
    const quick = rule.operator!.quick!
    if (quick.type === 'any') detectors.push({ any: quick.any, step })
    else if (quick.type === 'pattern' && quick.requirements.length === 0)
      patterns.push({ pattern: quick.relaxed(), step })
  }
  const sets: Group['patterns'][number][] = []
  for (const chunk of chunks(patterns)) {
    sets.push({
      set: compileSet(chunk.map(({ pattern }) => pattern)),
      steps: chunk.map(({ step }) => step),
    })
    yield
  }
  return { targets, chain, patterns: sets, isScreened, detectors }
}

/** In their order, so that a pattern that is long by itself has a set of its own. */
function chunks<T extends { readonly pattern: string }>(items: readonly T[]): T[][] {
  const result: T[][] = []
  let length = Number.POSITIVE_INFINITY
  for (const item of items) {
    if (length + item.pattern.length > maxSetLength) {
      result.push([])
      length = 0
    }
    result.at(-1)!.push(item)
    length += item.pattern.length
  }
  return result
}
