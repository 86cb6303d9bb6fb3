import { linearEngine } from '../regex/engine.ts'
import { parsePattern } from '../regex/pattern-parser.ts'
import { remembering } from '../remembering.ts'
import type { VariableSyntax } from '../seclang/syntax.ts'
import { collections } from './collections.ts'
import { type Entry, entry } from './entry.ts'
import { isVolatile, type Transaction } from './transaction.ts'

/** Tells whether an entry is meant by `ARGS`, `ARGS:id` or `ARGS:/^id/`. */
export interface TargetMatcher {
  readonly collection: string
  /** The selector as it stands in the rule; '' for none. */
  readonly selector: string
  /** By the name of the entry; undefined where all are meant. */
  readonly accepts: ((key: string) => boolean) | undefined
}

interface Target extends TargetMatcher {
  readonly counted: boolean
  /** In lower case, for the one variable of that name. */
  readonly name: string | undefined
  /** Names in this collection that are not looked at. */
  readonly exclusions: readonly TargetMatcher[]
}

/** What a rule looks at. The same list is shared by all rules that have it. */
export interface TargetList {
  readonly id: number
  /** The same for a whole phase, whatever rules do. */
  readonly steady: boolean
  readonly targets: readonly Target[]
  resolve(transaction: Transaction): readonly Entry[]
}

/** Makes lists of targets, each only once. */
export class TargetRegistry {
  readonly #lists = new Map<string, TargetList>()

  /** Throws an Error that names a collection which is not known. */
  list(variables: readonly VariableSyntax[]): TargetList {
    const key = JSON.stringify(variables)
    let list = this.#lists.get(key)
    if (!list) {
      list = targetList(variables, this.#lists.size)
      this.#lists.set(key, list)
    }
    return list
  }
}

/** Compiles one variable. */
export function targetMatcher({ collection, selector }: VariableSyntax): TargetMatcher {
  if (!(collection in collections) && !isVolatile(collection)) {
    throw new Error(`the variable ${collection} is not supported`)
  }
  if (selector === undefined) return { collection, selector: '', accepts: undefined }
  if (selector.type === 'pattern') {
    const regex = linearEngine.compile(parsePattern(`(?i)${selector.source}`))
    return { collection, selector: `/${selector.source}/`, accepts: remembering((key) => regex.test(key)) }
  }
  if (collection === 'XML' && selector.name !== '/*' && selector.name !== '//@*') {
    throw new Error(`XPath other than XML:/* and XML://@* is not supported`)
  }
  const name = selector.name.toLowerCase()
  return {
    collection,
    selector: name,
    accepts: (key) => key.length === name.length && key.toLowerCase() === name,
  }
}

function targetList(variables: readonly VariableSyntax[], id: number): TargetList {
  const exclusions = variables.filter(({ excluded }) => excluded).map(targetMatcher)
  const targets = variables
    .filter(({ excluded }) => !excluded)
    .map((variable) => ({
      ...targetMatcher(variable),
      counted: variable.counted,
      name: variable.selector?.type === 'name' ? variable.selector.name.toLowerCase() : undefined,
      exclusions: exclusions.filter(({ collection }) => collection === variable.collection),
    }))
  const steady = targets.every(({ collection }) => !isVolatile(collection))
  const collect = (transaction: Transaction) => {
    const found: Entry[] = []
    for (const target of targets) addEntries(transaction, target, found)
    return found
  }
  return {
    id,
    steady,
    targets,
    resolve: (transaction) => (steady ? transaction.targetList(id, collect) : collect(transaction)),
  }
}

function addEntries(transaction: Transaction, target: Target, found: Entry[]): void {
  const { collection, counted, name } = target
  // By far the most are tx.NAME: no need to list them all.
  if (collection === 'TX' && name !== undefined) return addVariable(transaction, name, counted, found)
  const before = found.length
  if (collection === 'TX') addVariables(transaction, target, found)
  else {
    for (const candidate of transaction.collection(collection)) {
      if (isLookedAt(target, candidate.key)) found.push(candidate)
    }
  }
  if (!counted) return
  const count = found.length - before
  found.length = before
  found.push(entry(`&${collection}`, name ?? '', String(count)))
}

function isLookedAt({ accepts, exclusions }: Target, key: string): boolean {
  if (accepts && !accepts(key)) return false
  for (const exclusion of exclusions) if (meant(exclusion, key)) return false
  return true
}

function addVariables({ tx }: Transaction, target: Target, found: Entry[]): void {
  for (const [name, value] of tx.all()) {
    if (isLookedAt(target, name)) found.push(entry('TX', name, value))
  }
}

function addVariable(transaction: Transaction, name: string, counted: boolean, found: Entry[]): void {
  const value = transaction.tx.get(name)
  if (counted) found.push(entry('&TX', name, value === undefined ? '0' : '1'))
  else if (value !== undefined) found.push(entry('TX', name, value))
}

/** Whether all that a list can look at, another looks at too. */
export function covers(whole: TargetList, part: TargetList): boolean {
  return part.targets.every((target) =>
    whole.targets.some(
      (other) =>
        other.collection === target.collection &&
        (other.selector === '' || other.selector === target.selector) &&
        !other.counted &&
        !target.counted &&
        other.exclusions.every(({ selector }) => target.exclusions.some((own) => own.selector === selector)),
    ),
  )
}

const meant = (matcher: TargetMatcher, key: string) => matcher.accepts === undefined || matcher.accepts(key)

/** Whether an entry is one that the matcher means. */
export const isMeant = (matcher: TargetMatcher, found: Entry): boolean =>
  matcher.collection === found.collection && meant(matcher, found.key)
