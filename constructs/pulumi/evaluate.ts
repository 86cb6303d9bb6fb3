import type { Expression } from './expression.ts'
import { functions } from './functions.ts'

/** What a name stands for; undefined when it is not known. */
export type Lookup = (reference: string) => unknown

/**
 * What an expression refers to: `aws_vpc.main.arn`, `data.aws_region.here.region`, `var.name`, `path.module`; each once.
 * @throws Error when it refers to a resource as a whole
 */
export function referencesOf(expression: Expression): string[] {
  const found = new Set<string>()
  collect(expression, new Set(), found)
  return [...found]
}

function collect(expression: Expression, bound: ReadonlySet<string>, found: Set<string>) {
  const reference = referenceOf(expression, bound)
  if (reference !== undefined) {
    found.add(reference)
    return
  }
  const inner = expression.kind === 'for' ? new Set([...bound, expression.item]) : bound
  for (const part of partsOf(expression)) collect(part, inner, found)
}

function partsOf(expression: Expression): readonly Expression[] {
  switch (expression.kind) {
    case 'template':
      return expression.parts
    case 'attribute':
      return [expression.of]
    case 'index':
      return [expression.of, expression.index]
    case 'call':
      return expression.arguments
    case 'list':
      return expression.items
    case 'object':
      return expression.entries.flat()
    case 'unary':
      return [expression.operand]
    case 'binary':
      return [expression.left, expression.right]
    case 'condition':
      return [expression.test, expression.yes, expression.no]
    case 'for':
      return [expression.of, expression.result, ...(expression.test ? [expression.test] : [])]
    default:
      return []
  }
}

/** How many names belong to a reference: `var.x`, `type.id.attribute`, `data.type.id.attribute`. */
const lengthOf = (root: string) =>
  ['var', 'local', 'path', 'self', 'each', 'count', 'terraform'].includes(root) ? 2 : root === 'data' ? 4 : 3

function referenceOf(expression: Expression, bound: ReadonlySet<string>): string | undefined {
  const names = chain(expression)
  const [root] = names ?? []
  if (!names || root === undefined || bound.has(root)) return undefined
  if (names.length === lengthOf(root)) return names.join('.')
  if (names.length < lengthOf(root)) {
    throw new Error(
      `the expression ${names.join('.')} is a whole resource or a name that is not known here: refer to an attribute`,
    )
  }
  return undefined
}

/** The names of `a.b.c`; undefined when there is anything else in it. */
function chain(expression: Expression): string[] | undefined {
  if (expression.kind === 'name') return [expression.name]
  if (expression.kind !== 'attribute') return undefined
  const names = chain(expression.of)
  return names && [...names, expression.name]
}

/**
 * The value of an expression, as Terraform has it.
 * @param lookup gives the values of what `referencesOf` names
 * @throws Error when a function or operation is not known here, or does not suit its values
 */
export function evaluate(
  expression: Expression,
  lookup: Lookup,
  bound: ReadonlyMap<string, unknown> = new Map(),
): unknown {
  const value = (part: Expression) => evaluate(part, lookup, bound)
  const reference = referenceOf(expression, new Set(bound.keys()))
  if (reference !== undefined) return lookup(reference)
  switch (expression.kind) {
    case 'literal':
      return expression.value
    case 'template':
      return expression.parts.map((part) => textOf(value(part))).join('')
    case 'name':
      return bound.get(expression.name)
    case 'attribute':
      return attributeOf(value(expression.of), expression.name)
    case 'index':
      return elementOf(value(expression.of), value(expression.index))
    case 'call':
      return call(expression.name, expression.arguments.map(value))
    case 'list':
      return expression.items.map(value)
    case 'object':
      return Object.fromEntries(expression.entries.map(([key, item]) => [textOf(value(key)), value(item)]))
    case 'unary':
      return expression.operator === '!' ? !value(expression.operand) : -Number(value(expression.operand))
    case 'binary':
      return operate(expression.operator, value(expression.left), () => value(expression.right))
    case 'condition':
      return value(expression.test) ? value(expression.yes) : value(expression.no)
    case 'for':
      return loop(expression, value(expression.of), (part, item) =>
        evaluate(part, lookup, new Map([...bound, [expression.item, item]])),
      )
  }
}

function loop(
  { result, test }: Expression & { kind: 'for' },
  items: unknown,
  value: (part: Expression, item: unknown) => unknown,
): unknown[] {
  if (!Array.isArray(items)) throw new Error(`for expects a list, got ${typeof items}`)
  return items.filter((item) => !test || value(test, item)).map((item) => value(result, item))
}

function call(name: string, values: readonly unknown[]): unknown {
  const known = functions[name]
  if (!known) {
    throw new Error(
      `the function ${name} is not known here; there are: ${Object.keys(functions).sort().join(', ')}`,
    )
  }
  return known(...values)
}

/** As Terraform turns values into text, in templates. */
export function textOf(value: unknown): string {
  if (typeof value === 'string') return value
  if (typeof value === 'number' || typeof value === 'boolean') return String(value)
  throw new Error(
    `expected a text, a number or a truth value in a template, got ${value === null ? 'null' : typeof value}`,
  )
}

function attributeOf(value: unknown, name: string): unknown {
  if (value !== null && typeof value === 'object' && name in value)
    return (value as Record<string, unknown>)[name]
  throw new Error(`there is no attribute ${name}`)
}

/** Pulumi has single blocks where Terraform has lists of one: they are their own first element. */
function elementOf(value: unknown, index: unknown): unknown {
  if (Array.isArray(value)) {
    if (typeof index === 'number' && index in value) return value[index]
    throw new Error(`a list of ${value.length} has no element ${textOf(index)}`)
  }
  if (index === 0 && value !== null && typeof value === 'object') return value
  return attributeOf(value, textOf(index))
}

function operate(operator: string, left: unknown, right: () => unknown): unknown {
  switch (operator) {
    case '&&':
      return left && right()
    case '||':
      return left || right()
    case '==':
      return JSON.stringify(left) === JSON.stringify(right())
    case '!=':
      return JSON.stringify(left) !== JSON.stringify(right())
    default:
      return compute(operator, Number(left), Number(right()))
  }
}

function compute(operator: string, left: number, right: number): unknown {
  const results: Record<string, () => unknown> = {
    '<': () => left < right,
    '<=': () => left <= right,
    '>': () => left > right,
    '>=': () => left >= right,
    '+': () => left + right,
    '-': () => left - right,
    '*': () => left * right,
    '/': () => left / right,
    '%': () => left % right,
  }
  return results[operator]!()
}
