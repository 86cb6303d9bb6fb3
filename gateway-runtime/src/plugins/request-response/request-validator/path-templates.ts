import { decodePercent } from './parameter-styles.ts'

const parameter = /\{([^{}]*)\}/g

interface Node<Item> {
  readonly literals: Map<string, Node<Item>>
  /** Such as `{name}.json`. */
  readonly patterns: Map<string, { readonly pattern: RegExp; readonly node: Node<Item> }>
  any: Node<Item> | undefined
  found: { readonly item: Item; readonly names: readonly string[] } | undefined
}

export interface TemplateMatch<Item> {
  readonly item: Item
  /** Values of the parameters, as they stand in the path. */
  readonly values: ReadonlyMap<string, string>
}

/** Names of the parameters of a template, in their order. */
export const templateNames = (template: string): string[] =>
  [...template.matchAll(parameter)].map(([, name]) => name!)

/** Templates of paths as OpenAPI has them: `/orders/{id}`. What is concrete counts before what is not. */
export class PathTemplates<Item> {
  readonly #root = newNode<Item>()

  /** Returns false where a template of the same form is known. */
  add(template: string, item: Item): boolean {
    let node = this.#root
    for (const segment of segmentsOf(template)) node = childFor(node, segment)
    if (node.found) return false
    node.found = { item, names: templateNames(template) }
    return true
  }

  /** @param path - as the request has it, without its query */
  match(path: string): TemplateMatch<Item> | undefined {
    const values: string[] = []
    const found = find(this.#root, segmentsOf(path), 0, values)
    return (
      found && { item: found.item, values: new Map(found.names.map((name, index) => [name, values[index]!])) }
    )
  }
}

const newNode = <Item>(): Node<Item> => ({
  literals: new Map(),
  patterns: new Map(),
  any: undefined,
  found: undefined,
})

const segmentsOf = (path: string) => path.replace(/^\//, '').split('/')

function childFor<Item>(node: Node<Item>, segment: string): Node<Item> {
  if (/^\{[^{}]*\}$/.test(segment)) {
    node.any ??= newNode()
    return node.any
  }
  if (!segment.includes('{')) {
    const literal = decodePercent(segment)
    return node.literals.get(literal) ?? insert(node.literals, literal, newNode<Item>())
  }
  const form = segment.replace(parameter, '{}')
  const known = node.patterns.get(form)
  if (known) return known.node
  const source = form.split('{}').map(escaped).join('([^/]+)')
  return insert(node.patterns, form, { pattern: new RegExp(`^${source}$`), node: newNode<Item>() }).node
}

const escaped = (text: string) => text.replace(/[\\^$.*+?()[\]{}|/]/g, '\\$&')

function insert<Value>(map: Map<string, Value>, key: string, value: Value): Value {
  map.set(key, value)
  return value
}

/** Visits no node twice: the depth of a node is that of its segment. */
function find<Item>(
  node: Node<Item>,
  segments: readonly string[],
  depth: number,
  values: string[],
): Node<Item>['found'] {
  const segment = segments[depth]
  if (segment === undefined) return node.found
  const literal = node.literals.get(decodePercent(segment))
  const viaLiteral = literal && find(literal, segments, depth + 1, values)
  if (viaLiteral) return viaLiteral
  const length = values.length
  for (const { pattern, node: next } of node.patterns.values()) {
    const match = pattern.exec(segment)
    if (!match) continue
    values.push(...match.slice(1))
    const found = find(next, segments, depth + 1, values)
    if (found) return found
    values.length = length
  }
  if (!node.any || segment === '') return undefined
  values.push(segment)
  const found = find(node.any, segments, depth + 1, values)
  if (!found) values.length = length
  return found
}
