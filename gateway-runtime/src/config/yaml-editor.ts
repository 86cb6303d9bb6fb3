import { isDeepStrictEqual } from 'node:util'
import {
  type CST,
  isCollection,
  isMap,
  isPair,
  isScalar,
  isSeq,
  type Node,
  type Pair,
  Scalar,
  type YAMLMap,
  type YAMLSeq,
} from 'yaml'
import { EditRefused, FlowCollection } from './flow-collection.ts'
import type { YamlDocument } from './yaml-document.ts'
import { blockText, flowText, isContainer, scalarText, type YamlStyle } from './yaml-text.ts'

type Members = Readonly<Record<string, unknown>>

/** An entry of a list as it shall be: the one at index `from` so far, or a new one. */
export interface ListEntry {
  readonly from?: number
  readonly value: unknown
}

interface Change {
  readonly start: number
  readonly end: number
  readonly text: string
}

/**
 * Changes values in the text of a YAML file. Only the lines of what differs are written anew: comments, order,
 * quoting and indentation of all else stay to the byte.
 */
export class YamlEditor {
  readonly #source: YamlDocument
  readonly #text: string
  readonly #style: YamlStyle
  readonly #changes: Change[] = []

  constructor(source: YamlDocument, style: YamlStyle) {
    this.#source = source
    this.#text = source.text
    this.#style = style
  }

  /** The text with all changes. */
  toString(): string {
    let text = ''
    let position = 0
    for (const { start, end, text: replacement } of this.#changes.toSorted(
      (a, b) => a.start - b.start || a.end - b.end,
    )) {
      if (start < position) throw new EditRefused('two changes meet at one place')
      text += this.#text.slice(position, start) + replacement
      position = end
    }
    return text + this.#text.slice(position)
  }

  /** Makes the list under a key of the top-level mapping what `entries` say; the key is added where it is missing. */
  setList(key: string, entries: readonly ListEntry[]): void {
    const { contents } = this.#source.document
    const root = isMap(contents) ? contents : null
    if (!root && this.#plain(contents) !== null) throw new EditRefused('the file is not a mapping of keys')
    const pair = root ? this.#pairs(root).find((pair) => keyOf(pair) === key) : undefined
    const values = entries.map(({ value }) => value)
    if (root?.flow) {
      const text = this.#flowMap(root, { ...(this.#plain(root) as Members), [key]: values })
      return this.#replace(rangeOf(root), text)
    }
    if (!pair) return this.#appendKey(root, key, values)
    const node = pair.value
    if (isSeq(node) && !node.flow && values.length > 0) return this.#blockList(node, entries)
    if (isSeq(node) && !node.flow) return this.#emptyList(pair, node)
    if (isSeq(node) && (node.items.length > 0 || this.#slice(rangeOf(node)).includes('#'))) {
      return this.#replace(rangeOf(node), this.#flowList(node, entries))
    }
    if (isSeq(node) || (isScalar(node) && node.value === null)) return this.#fillList(pair, node, values)
    throw new EditRefused(`"${key}" is not a list of its own`)
  }

  /** Makes a value what it shall be, as little as that takes. */
  #update(node: Node, value: unknown): void {
    if (isDeepStrictEqual(this.#plain(node), value)) return
    if (
      isMap(node) &&
      isMembers(value) &&
      !node.flow &&
      this.#pairs(node).some((pair) => Object.hasOwn(value, keyOf(pair)))
    ) {
      return this.#blockMap(node, value)
    }
    if (isSeq(node) && Array.isArray(value) && !node.flow) {
      const entries = alignment(node, value, this.#source)
      if (entries.some(({ from }) => from !== undefined)) return this.#blockList(node, entries)
    }
    const [start, end] = this.#extent(node)
    const isBlock = isCollection(node) && !node.flow && isContainer(value)
    const text = isBlock ? blockText(value, this.#column(start), this.#style) : this.#inline(node, value)
    const space = start > 0 && /\S/.test(this.#text[start - 1]!) ? ' ' : ''
    this.#replace(
      [start, end],
      space + text + (this.#text[end - 1] === '\n' && end > start ? this.#style.newline : ''),
    )
  }

  /** A value in one line, in the quotes that it had; of flow collections, all that stays is as it was. */
  #inline(node: Node | null, value: unknown): string {
    if (node && isDeepStrictEqual(this.#plain(node), value)) return this.#slice(rangeOf(node))
    if (isMap(node) && node.flow && isMembers(value)) return this.#flowMap(node, value)
    if (isSeq(node) && node.flow && Array.isArray(value)) {
      return this.#flowList(node, alignment(node, value, this.#source))
    }
    if (isScalar(node) && typeof value === 'string' && /^[\x20-\x7e]*$/.test(value)) {
      if (node.type === Scalar.QUOTE_DOUBLE) return JSON.stringify(value)
      if (node.type === Scalar.QUOTE_SINGLE) return `'${value.replaceAll("'", "''")}'`
    }
    return flowText(value, this.#style)
  }

  #flowMap(node: YAMLMap, members: Members): string {
    const pairs = this.#pairs(node)
    const [offset] = rangeOf(node)
    const flow = new FlowCollection(
      this.#slice(rangeOf(node)),
      pairs.map((pair) => [rangeOf(pair.key)[0] - offset, this.#pairEnd(pair) - offset]),
    )
    for (const [index, pair] of [...pairs.entries()].reverse()) {
      const key = keyOf(pair)
      if (!Object.hasOwn(members, key)) flow.delete(index)
      else if (!isDeepStrictEqual(this.#plain(pair.value), members[key])) {
        const [keyStart] = rangeOf(pair.key)
        const value = this.#inline(pair.value, members[key])
        const isGiven = pair.value && this.#slice(rangeOf(pair.value)) !== ''
        const before = isGiven ? this.#text.slice(keyStart, rangeOf(pair.value)[0]) : `${scalarText(key)}: `
        flow.set(index, before + value)
      }
    }
    for (const [key, value] of newMembers(pairs, members)) {
      flow.append(`${scalarText(key)}: ${flowText(value, this.#style)}`)
    }
    return flow.toString()
  }

  #flowList(node: YAMLSeq, entries: readonly ListEntry[]): string {
    const items = node.items as Node[]
    const [offset] = rangeOf(node)
    const flow = new FlowCollection(
      this.#slice(rangeOf(node)),
      items.map((item) => [rangeOf(item)[0] - offset, rangeOf(item)[1] - offset]),
    )
    const kept = keptEntries(entries)
    for (const [index, item] of [...items.entries()].reverse()) {
      const entry = kept.get(index)
      if (entry) flow.set(index, this.#inline(item, entry.value))
      else flow.delete(index)
    }
    for (const { value } of newEntries(entries)) flow.append(flowText(value, this.#style))
    return flow.toString()
  }

  #blockMap(node: YAMLMap, members: Members): void {
    const pairs = this.#pairs(node)
    const firstKept = pairs.findIndex((pair) => Object.hasOwn(members, keyOf(pair)))
    if (firstKept > 0) this.#deleteFirstPairs(pairs, firstKept)
    for (const pair of pairs.slice(firstKept)) {
      const key = keyOf(pair)
      if (!Object.hasOwn(members, key)) this.#deleteLines(rangeOf(pair.key)[0], this.#pairEnd(pair))
      else if (pair.value) this.#update(pair.value, members[key])
      else throw new EditRefused('a mapping has keys without values')
    }
    const added = Object.fromEntries(newMembers(pairs, members))
    if (!isContainer(added)) return
    const column = this.#column(rangeOf(pairs[0]!.key)[0])
    this.#insertLines(this.#pairEnd(pairs.at(-1)!), column, blockText(added, column, this.#style))
  }

  /** The first key may stand behind the dash of its list entry, which stays. */
  #deleteFirstPairs(pairs: readonly Pair<Node, Node | null>[], count: number): void {
    const [start] = rangeOf(pairs[0]!.key)
    const [next] = rangeOf(pairs[count]!.key)
    const end = this.#pairEnd(pairs[count - 1]!)
    const hasComment = this.#text.slice(end, next).includes('#')
    this.#replace([start, hasComment ? end : next], '')
  }

  #blockList(node: YAMLSeq, entries: readonly ListEntry[]): void {
    const items = node.items as Node[]
    const dashes = this.#dashes(node)
    const kept = keptEntries(entries)
    for (const [index, item] of items.entries()) {
      const entry = kept.get(index)
      if (entry) this.#update(item, entry.value)
      else this.#deleteLines(dashes[index]!, this.#extent(item)[1])
    }
    const added = newEntries(entries)
    if (added.length === 0) return
    const column = this.#column(dashes.at(-1)!)
    const last = items.at(-1)!
    const text = added.map(({ value }) => this.#listItem(value, column, last, dashes.at(-1)!))
    this.#insertLines(this.#extent(last)[1], column, text.join(this.#style.newline + ' '.repeat(column)))
  }

  /** An entry of a block list, written as its neighbour is. */
  #listItem(value: unknown, column: number, neighbour: Node, dash: number): string {
    const isBlock = isMap(neighbour) && !neighbour.flow
    const gap = this.#text.slice(dash + 1, rangeOf(neighbour)[0])
    const space = isBlock && /^ +$/.test(gap) ? gap : ' '
    const flow = flowText(value, this.#style)
    if (!isContainer(value) || (!isBlock && flow.length <= 110 - column)) return `- ${flow}`
    return `-${space}${blockText(value, column + 1 + space.length, this.#style)}`
  }

  /** Puts entries into `key: []` or `key:`, which becomes a block list. */
  #fillList(pair: Pair<Node, Node | null>, node: Node, values: readonly unknown[]): void {
    if (values.length === 0) return
    const colon = this.#colonEnd(pair)
    const [start, end] = rangeOf(node)
    if (end > start) {
      const isAlone = this.#text.slice(colon, start).trim() === ''
      this.#replace([isAlone ? colon : start, end], '')
    }
    const column = this.#column(rangeOf(pair.key)[0]) + this.#listIndentation()
    this.#insertLines(Math.max(colon, end), column, blockText(values, column, this.#style))
  }

  /** Leaves `key: []` of a block list, and the comments in it. */
  #emptyList(pair: Pair<Node, Node | null>, node: YAMLSeq): void {
    const colon = this.#colonEnd(pair)
    this.#replace([colon, colon], ' []')
    for (const [index, item] of (node.items as Node[]).entries()) {
      this.#deleteLines(this.#dashes(node)[index]!, this.#extent(item)[1])
    }
  }

  #appendKey(root: YAMLMap | null, key: string, values: readonly unknown[]): void {
    if (values.length === 0) return
    const first = root?.items[0]
    const column = first ? this.#column(rangeOf(first.key as Node)[0]) : 0
    const indentation = this.#listIndentation()
    const { newline } = this.#style
    const list = ' '.repeat(column + indentation) + blockText(values, column + indentation, this.#style)
    const text = this.#text
    const before =
      text === '' || /\n\r?\n$/.test(text) ? '' : text.endsWith('\n') ? newline : newline + newline
    this.#replace(
      [text.length, text.length],
      `${before}${' '.repeat(column)}${scalarText(key)}:${newline}${list}${newline}`,
    )
  }

  /** How far the lists of this file stand behind their key: 0 or more; 2 where there is none. */
  #listIndentation(): number {
    const root = this.#source.document.contents
    for (const pair of isMap(root) ? this.#pairs(root) : []) {
      if (!isSeq(pair.value) || pair.value.flow || pair.value.items.length === 0) continue
      return this.#column(this.#dashes(pair.value)[0]!) - this.#column(rangeOf(pair.key)[0])
    }
    return 2
  }

  /** Lines behind that in which something ends, and behind comments that are indented deeper than what comes. */
  #insertLines(end: number, column: number, text: string): void {
    let offset = this.#nextLine(end)
    const deeperComments = new RegExp(`(?:[ \\t]*\\r?\\n)*[ ]{${column + 1},}#[^\\n]*(?:\\n|$)`, 'y')
    for (let more = true; more; ) {
      deeperComments.lastIndex = offset
      more = deeperComments.test(this.#text)
      if (more) offset = deeperComments.lastIndex
    }
    const { newline } = this.#style
    const before = offset > 0 && this.#text[offset - 1] !== '\n' ? newline : ''
    this.#replace([offset, offset], `${before}${' '.repeat(column)}${text}${newline}`)
  }

  #deleteLines(start: number, end: number): void {
    const lineStart = this.#lineStart(start)
    if (this.#text.slice(lineStart, start).trim() !== '')
      throw new EditRefused('an entry shares its line with others')
    this.#replace([lineStart, this.#nextLine(end)], '')
  }

  #replace([start, end]: readonly [number, number], text: string): void {
    this.#changes.push({ start, end, text })
  }

  #slice([start, end]: readonly [number, number]): string {
    return this.#text.slice(start, end)
  }

  /** From the first to the last character of a value; of a block scalar, with the newline at its end. */
  #extent(node: Node): [start: number, end: number] {
    const [start, end] = rangeOf(node)
    if (isMap(node) && !node.flow) return [start, this.#pairEnd(this.#pairs(node).at(-1)!)]
    if (isSeq(node) && !node.flow) return [start, this.#extent(node.items.at(-1) as Node)[1]]
    return [start, end]
  }

  #pairEnd(pair: Pair<Node, Node | null>): number {
    return pair.value ? Math.max(this.#extent(pair.value)[1], rangeOf(pair.key)[1]) : rangeOf(pair.key)[1]
  }

  #colonEnd(pair: Pair<Node, Node | null>): number {
    const separators = (pair.srcToken as CST.BlockMap['items'][number] | undefined)?.sep ?? []
    const colon = separators.find(({ type }) => type === 'map-value-ind')
    if (!colon || !('offset' in colon)) throw new EditRefused('a key has no colon')
    return colon.offset + 1
  }

  #dashes(node: YAMLSeq): number[] {
    const items = (node.srcToken as CST.BlockSequence | undefined)?.items ?? []
    return items.flatMap(({ start }) => start.find(({ type }) => type === 'seq-item-ind')?.offset ?? [])
  }

  #pairs(node: YAMLMap): Pair<Node, Node | null>[] {
    return node.items.filter((item): item is Pair<Node, Node | null> => isPair(item))
  }

  #plain(node: Node | null): unknown {
    return node === null ? null : this.#source.plain(node)
  }

  #lineStart(offset: number): number {
    return this.#text.lastIndexOf('\n', offset - 1) + 1
  }

  #column(offset: number): number {
    return offset - this.#lineStart(offset)
  }

  /** Where the line after that of an end begins. */
  #nextLine(end: number): number {
    if (end > 0 && this.#text[end - 1] === '\n') return end
    const newline = this.#text.indexOf('\n', end)
    return newline < 0 ? this.#text.length : newline + 1
  }
}

function rangeOf(node: Node | null): [start: number, end: number] {
  if (!node?.range) throw new EditRefused('a value has no place in the file')
  return [node.range[0], node.range[1]]
}

const keyOf = (pair: Pair<Node, Node | null>): string => (isScalar(pair.key) ? String(pair.key.value) : '')

const isMembers = (value: unknown): value is Members => isContainer(value) && !Array.isArray(value)

function newMembers(pairs: readonly Pair<Node, Node | null>[], members: Members): [string, unknown][] {
  const known = new Set(pairs.map(keyOf))
  return Object.entries(members).filter(([key]) => !known.has(key))
}

const newEntries = (entries: readonly ListEntry[]) => entries.filter(({ from }) => from === undefined)
const keptEntries = (entries: readonly ListEntry[]) =>
  new Map(entries.flatMap((entry) => (entry.from === undefined ? [] : [[entry.from, entry] as const])))

/** Which entries of a list stay: those at their index where the length is the same, else those that are equal. */
function alignment(node: YAMLSeq, values: readonly unknown[], source: YamlDocument): ListEntry[] {
  if (node.items.length === values.length) return values.map((value, from) => ({ from, value }))
  let next = 0
  const entries: ListEntry[] = []
  for (const [from, item] of (node.items as Node[]).entries()) {
    if (next < values.length && isDeepStrictEqual(source.plain(item), values[next])) {
      entries.push({ from, value: values[next++] })
    }
  }
  return [...entries, ...values.slice(next).map((value) => ({ value }))]
}
