import { compileOperator } from '../operators/index.ts'
import type {
  ActionSyntax,
  Directive,
  IdRange,
  Location,
  RuleSyntax,
  VariableSyntax,
} from '../seclang/syntax.ts'
import { ChainRegistry } from '../transformations/chain.ts'
import { checkActions, parseAssignment, parseControl, severityName } from './compile-actions.ts'
import { parseMacro } from './macro.ts'
import type { Phase, Rule, Step } from './rule.ts'
import { TargetRegistry } from './targets.ts'

/** A rule that is not run, and why. */
export interface RefusedRule {
  /** Undefined where not even its id could be read. */
  readonly id: number | undefined
  readonly location: Location
  readonly reason: string
}

export interface CompiledRules {
  readonly steps: Readonly<Record<Phase, readonly Step[]>>
  readonly refused: readonly RefusedRule[]
  /** SecComponentSignature: name and version of the rule set. */
  readonly signatures: readonly string[]
}

interface Group {
  /** The rule and those chained to it. */
  readonly rules: readonly RuleSyntax[]
  readonly id: number | undefined
}

/**
 * Compiles directives in their order, a rule at a time. A chain of which one rule cannot be taken is refused as a
 * whole.
 */
export function compileRules(directives: readonly Directive[]): Generator<void, CompiledRules> {
  return new RuleCompiler().compile(directives)
}

class RuleCompiler {
  readonly #targets = new TargetRegistry()
  readonly #chains = new ChainRegistry()
  readonly #defaults = new Map<Phase, readonly ActionSyntax[]>()
  readonly #refused: RefusedRule[] = []
  readonly #steps: Record<Phase, Step[]> = { 1: [], 2: [], 3: [], 4: [], 5: [] }
  #updates: readonly Extract<Directive, { type: 'update-target' }>[] = [];

  *compile(directives: readonly Directive[]): Generator<void, CompiledRules> {
    this.#updates = directives.filter((directive) => directive.type === 'update-target')
    const removed = removalOf(directives)
    let group: RuleSyntax[] = []
    for (const directive of directives) {
      if (directive.type === 'rule') {
        group.push(directive.rule)
        if (has(directive.rule, 'chain')) continue
        this.#add(group, removed)
        group = []
        yield
      } else if (directive.type === 'marker') {
        const marker: Step = { type: 'marker', name: directive.name }
        for (const phase of [1, 2, 3, 4, 5] as const) this.#steps[phase].push(marker)
      } else if (directive.type === 'default-action') {
        this.#defaults.set(phaseOf(directive.actions) ?? 2, directive.actions)
      }
    }
    const signatures = directives.flatMap((directive) =>
      directive.type === 'signature' ? [directive.signature] : [],
    )
    return { steps: this.#steps, refused: this.#refused, signatures }
  }

  #add(rules: readonly RuleSyntax[], removed: (rule: RuleSyntax) => boolean): void {
    const [first] = rules as [RuleSyntax]
    if (removed(first)) return
    const group: Group = { rules, id: idOf(first) }
    const phase = phaseOf(first.actions) ?? 2
    try {
      this.#steps[phase].push({ type: 'rule', rule: this.#rule(group, 0, phase) })
    } catch (error) {
      this.#refused.push({ id: group.id, location: first.location, reason: (error as Error).message })
    }
  }

  #rule(group: Group, index: number, phase: Phase): Rule {
    const syntax = group.rules[index]!
    const { actions, operator } = syntax
    checkActions(actions)
    const inherited = index === 0 ? (this.#defaults.get(phase) ?? []) : []
    const all = [...inherited, ...actions]
    const id = idOf(syntax) ?? group.id ?? 0
    const tags = valuesOf(actions, 'tag')
    const next = index + 1 < group.rules.length ? this.#rule(group, index + 1, phase) : undefined
    const disruptive = disruptiveAction(actions, inherited)
    return {
      id,
      phase,
      location: syntax.location,
      targets: this.#targets.list([...syntax.variables, ...this.#addedTargets(id, tags)]),
      chain: this.#chains.chain(transformations(all)),
      multiMatch: has(syntax, 'multimatch'),
      operator: operator && compileOperator(operator.name, operator.argument),
      negated: operator?.negated ?? false,
      captures: has(syntax, 'capture'),
      assignments: valuesOf(actions, 'setvar').flatMap((argument) => parseAssignment(argument) ?? []),
      controls: valuesOf(actions, 'ctl').flatMap((argument) => parseControl(argument) ?? []),
      denies: ['deny', 'drop', 'redirect', 'proxy'].includes(disruptive),
      allows: disruptive === 'allow',
      logs: all.findLast(({ name }) => name === 'log' || name === 'nolog')?.name !== 'nolog',
      message: parseMacro(valuesOf(actions, 'msg').at(-1) ?? ''),
      severity: severityName(valuesOf(actions, 'severity').at(-1) ?? ''),
      tags,
      skipAfter: valuesOf(actions, 'skipafter').at(-1),
      next,
    }
  }

  /** Targets that SecRuleUpdateTargetById and ByTag add; !ARGS:x among them takes away. */
  #addedTargets(id: number, tags: readonly string[]): VariableSyntax[] {
    return this.#updates
      .filter(({ rules }) =>
        'tag' in rules ? tags.some((tag) => tag.includes(rules.tag)) : contains(rules.ids, id),
      )
      .flatMap(({ variables }) => variables)
  }
}

export const contains = (ranges: readonly IdRange[], id: number): boolean =>
  ranges.some(({ from, to }) => id >= from && id <= to)

const has = (rule: RuleSyntax, action: string) => rule.actions.some(({ name }) => name === action)

const valuesOf = (actions: readonly ActionSyntax[], action: string) =>
  actions.filter(({ name }) => name === action).map(({ argument }) => argument)

function idOf(rule: RuleSyntax): number | undefined {
  const id = Number(valuesOf(rule.actions, 'id')[0])
  return Number.isInteger(id) ? id : undefined
}

const phaseNames: Readonly<Record<string, Phase>> = {
  1: 1,
  2: 2,
  3: 3,
  4: 4,
  5: 5,
  request: 2,
  response: 4,
  logging: 5,
}

function phaseOf(actions: readonly ActionSyntax[]): Phase | undefined {
  return phaseNames[valuesOf(actions, 'phase')[0]?.toLowerCase() ?? '']
}

/** t:none forgets what stands before it. */
function transformations(actions: readonly ActionSyntax[]): string[] {
  const names = valuesOf(actions, 't').map((name) => name.toLowerCase())
  return names.slice(names.lastIndexOf('none') + 1)
}

const disruptions = ['pass', 'deny', 'drop', 'redirect', 'proxy', 'allow']

function disruptiveAction(actions: readonly ActionSyntax[], inherited: readonly ActionSyntax[]): string {
  const own = actions.findLast(({ name }) => name === 'block' || disruptions.includes(name))?.name
  if (own !== undefined && own !== 'block') return own
  return inherited.findLast(({ name }) => disruptions.includes(name))?.name ?? 'pass'
}

function removalOf(directives: readonly Directive[]): (rule: RuleSyntax) => boolean {
  const ranges = directives.flatMap((directive) =>
    directive.type === 'remove-by-id' ? directive.ranges : [],
  )
  const tags = directives.flatMap((directive) =>
    directive.type === 'remove-by-tag' ? [new RegExp(directive.pattern)] : [],
  )
  return (rule) => {
    if (contains(ranges, idOf(rule) ?? 0)) return true
    return valuesOf(rule.actions, 'tag').some((tag) => tags.some((pattern) => pattern.test(tag)))
  }
}
