import {
  type Document,
  isAlias,
  isMap,
  isScalar,
  isSeq,
  LineCounter,
  type Node,
  parseDocument,
  visit,
  type YAMLError,
} from 'yaml'
import { ConfigurationError, type Problem, ProblemList } from './configuration-error.ts'

export type Path = readonly PropertyKey[]

/** Where something stands: the file, line and column from 1, and the keys that lead there. */
export type Place = Pick<Problem, 'file' | 'line' | 'column' | 'path'>

/** Containers within containers that a file may have; far more than any configuration needs. */
const deepest = 64
const mostAliases = 100

/** The text of a YAML 1.2 file, parsed as a whole, with the positions of what it holds. */
export class YamlDocument {
  readonly file: string
  readonly text: string
  readonly document: Document
  /** Plain data; an empty file is an empty mapping. */
  readonly value: unknown
  readonly #lines: LineCounter

  /** @throws ConfigurationError for syntax errors, duplicate keys, unknown aliases and too deep nesting */
  constructor(file: string, text: string) {
    this.file = file
    this.text = text
    this.#lines = new LineCounter()
    try {
      this.document = parseDocument(text, {
        version: '1.2',
        uniqueKeys: true,
        keepSourceTokens: true,
        prettyErrors: false,
        lineCounter: this.#lines,
      })
      this.#checkSyntax()
      this.value = this.#toPlain() ?? {}
    } catch (error) {
      // The stack is the limit that very deep nesting meets first.
      throw error instanceof RangeError ? this.#error(tooDeepMessage) : error
    }
  }

  /**
   * Place of a value, or of its key. Where there is no such value: of the innermost that there is.
   */
  place(path: Path, at: 'key' | 'value' = 'value'): Place {
    let node: Node | null = this.document.contents
    let offset = node?.range?.[0] ?? 0
    for (const [depth, segment] of path.entries()) {
      const step = this.#step(node, segment)
      if (!step) break
      const isEmpty = !step.value?.range || step.value.range[0] === step.value.range[1]
      const pointAtKey = (at === 'key' && depth === path.length - 1) || isEmpty
      offset = ((pointAtKey && step.key) || step.value)?.range?.[0] ?? offset
      node = step.value
    }
    return this.#placeAt(offset, path)
  }

  /** Plain data of a part of the document. */
  plain(node: Node): unknown {
    return node.toJS(this.document, { maxAliasCount: mostAliases })
  }

  #checkSyntax(): void {
    const problems = new ProblemList()
    const { errors, warnings } = this.document
    const independent = [...errors, ...warnings].filter(({ code }) => standsAlone.has(code))
    // After the first error of syntax, the parser has lost its way; what it says then only confuses.
    const first = errors.find(({ code }) => !standsAlone.has(code))
    for (const error of first ? [...independent, first] : independent) {
      problems.add(() => ({ ...this.#placeAt(error.pos[0], []), message: this.#syntaxMessage(error) }))
    }
    problems.throwIfAny()
    const report = (node: Node, message: string) =>
      problems.add(() => ({ ...this.#placeAt(node.range?.[0] ?? 0, []), message }))
    const anchors = new Set<string>()
    visit(this.document, {
      Alias: (_, alias) => {
        if (anchors.has(alias.source)) return
        report(alias, `unknown alias "*${alias.source}": no value before it is marked "&${alias.source}"`)
      },
      Value: (_, node, ancestors) => {
        if (node.anchor !== undefined) anchors.add(node.anchor)
        if (ancestors.length <= 2 * deepest) return undefined
        report(node, tooDeepMessage)
        return visit.BREAK
      },
    })
    problems.throwIfAny()
  }

  #syntaxMessage(error: YAMLError): string {
    const [offset] = error.pos
    const found = this.text.slice(offset, this.text.indexOf('\n', offset) >>> 0)
    switch (error.code) {
      case 'DUPLICATE_KEY':
        return `duplicate key "${/^("[^"]*"|'[^']*'|[^\s:]+)/.exec(found)?.[0].replace(/["']/g, '')}" in one mapping`
      case 'MULTIPLE_DOCS':
        return 'a second YAML document begins here; a file holds one'
      case 'TAG_RESOLVE_FAILED':
        return `unknown YAML tag ${JSON.stringify(/^!\S*/.exec(found)?.[0])}`
      default:
        if (error.message.includes('call stack')) return tooDeepMessage
        return `invalid YAML: ${syntaxWords(error.message)}${this.#referenceAdvice(offset)}`
    }
  }

  /** In `{ key: ${env:NAME} }`, the brace of the reference is one of YAML's. */
  #referenceAdvice(offset: number): string {
    const before = this.text.slice(this.text.lastIndexOf('\n', offset) + 1, offset)
    return before.endsWith('$') ? `; within { } or [ ], put a \${…} reference in quotes` : ''
  }

  #toPlain(): unknown {
    try {
      return this.document.toJS({ maxAliasCount: mostAliases })
    } catch (error) {
      if (!(error instanceof ReferenceError)) throw error
      throw this.#error(`more than ${mostAliases} values come through aliases`)
    }
  }

  #error(message: string): ConfigurationError {
    return new ConfigurationError([{ ...this.#placeAt(0, []), message }])
  }

  #step(node: Node | null, segment: PropertyKey): { key?: Node; value: Node | null } | undefined {
    const container = isAlias(node) ? node.resolve(this.document) : node
    if (isSeq(container)) {
      const value = container.items[Number(segment)] as Node | undefined
      return value && { value }
    }
    if (!isMap(container)) return undefined
    const pair = container.items.find(({ key }) => isScalar(key) && String(key.value) === String(segment))
    return pair && { key: pair.key as Node, value: pair.value as Node | null }
  }

  #placeAt(offset: number, path: Path): Place {
    const { line, col } = this.#lines.linePos(offset)
    return { file: this.file, line: Math.max(line, 1), column: Math.max(col, 1), path: path.join('.') }
  }
}

/** Errors that say nothing of what follows. */
const standsAlone: ReadonlySet<string> = new Set(['DUPLICATE_KEY', 'TAG_RESOLVE_FAILED'])

const tokenWords: Readonly<Record<string, string>> = {
  'flow-map-start': '"{"',
  'flow-map-end': '"}"',
  'flow-seq-start': '"["',
  'flow-seq-end': '"]"',
  'map-value-ind': '":"',
  'seq-item-ind': '"-"',
  'explicit-key-ind': '"?"',
  'at node end': 'after a value',
  'token in YAML stream': 'here',
}

/** The parser's words, without the names of its tokens. */
function syntaxWords(message: string): string {
  const unclosed = /^Flow (?:map|sequence) .*end with a (.)$/.exec(message)
  if (unclosed) {
    const [open, close] = unclosed[1] === '}' ? ['{', '}'] : ['[', ']']
    return `"${open}" is not closed by "${close}" before this, or what it holds is not indented`
  }
  const text = message.replace(/^[A-Z](?=[a-z])/, (letter) => letter.toLowerCase()).replace(/: .*$/s, '')
  return Object.entries(tokenWords).reduce((words, [token, plain]) => words.replace(token, plain), text)
}

const tooDeepMessage = `nested too deeply: more than ${deepest} levels`
