import type { z } from 'zod'
import { ConfigurationError, ProblemList } from './configuration-error.ts'
import { isMapping } from './merge.ts'
import { validate } from './schema-problems.ts'
import { readTextFile, UnreadableFile } from './text-file.ts'
import { type Path, type Place, YamlDocument } from './yaml-document.ts'
import { splitLists, type TextEntry } from './yaml-lists.ts'

const mostRecent = 16
const recent = new Map<string, YamlSource>()

/** A YAML 1.2 file with the positions of what it holds. */
export class YamlSource {
  readonly file: string
  readonly text: string
  /** Plain data, not to be changed; an empty file is an empty mapping. */
  readonly value: unknown
  /** Where it could be read entry by entry. */
  readonly #parts: Parts | undefined
  #whole: YamlDocument | undefined

  /**
   * @param before - the file as it was: what has stayed is not read again
   * @throws ConfigurationError for syntax errors, duplicate keys, unknown aliases and too deep nesting
   */
  constructor(file: string, text: string, before?: YamlSource) {
    this.file = file
    this.text = text
    this.#parts = readParts(file, text, before === undefined ? undefined : before.#parts)
    this.value = this.#parts?.value ?? this.document.value
  }

  /**
   * The same for the same text: of each file, the one that was read last is kept, as an edit, its proof and the load
   * after it all read one text.
   * @throws ConfigurationError as the constructor does
   */
  static read(file: string, text: string): YamlSource {
    const known = recent.get(file)
    if (known?.text === text) return known
    const source = new YamlSource(file, text, known)
    recent.delete(file)
    recent.set(file, source)
    if (recent.size > mostRecent) recent.delete(recent.keys().next().value!)
    return source
  }

  /** The file as one document: parsed when it is first asked for. */
  get document(): YamlDocument {
    this.#whole ??= new YamlDocument(this.file, this.text)
    return this.#whole
  }

  /** The texts of a list's entries; undefined where the file has it in one piece only. */
  entries(key: string): readonly TextEntry[] | undefined {
    return this.#parts?.lists.get(key)
  }

  /**
   * Place of a value, or of its key. Where there is no such value: of the innermost that there is.
   */
  place(path: Path, at: 'key' | 'value' = 'value'): Place {
    const [key, index, ...rest] = path
    const entry = this.entries(String(key))?.[Number(index)]
    if (!entry) return this.document.place(path, at)
    const { line, column } = new YamlDocument(this.file, underKey(String(key), entry.text)).place(
      [key!, 0, ...rest],
      at,
    )
    return { file: this.file, line: line + entry.line - 2, column, path: path.join('.') }
  }
}

/** What is known of a file that was read entry by entry. */
interface Parts {
  readonly value: Readonly<Record<string, unknown>>
  readonly rest: { readonly text: string; readonly value: unknown }
  readonly lists: ReadonlyMap<string, readonly TextEntry[]>
  /** By their texts, under their keys. */
  readonly values: ReadonlyMap<string, unknown>
}

/** An entry as a document of its own. */
const underKey = (key: string, text: string) => `${key}:\n${text}`

/** Undefined where the file is to be read as a whole, as also to say what is wrong with it. */
function readParts(file: string, text: string, before: Parts | undefined): Parts | undefined {
  const split = splitLists(text)
  if (!split) return undefined
  try {
    const rest =
      before?.rest.text === split.rest ? before.rest : { text: split.rest, value: plain(file, split.rest) }
    if (!isMapping(rest.value)) return undefined
    const value: Record<string, unknown> = { ...rest.value }
    const values = new Map<string, unknown>()
    for (const [key, entries] of split.lists) {
      if (value[key] !== null) return undefined
      value[key] = entries.map((entry) => {
        // A slice would keep the whole file that it is of.
        const own = Buffer.from(underKey(key, entry.text)).toString()
        const known = before?.values.get(own) ?? oneEntry(key, plain(file, own))
        values.set(own, known)
        return known
      })
    }
    return { value, rest, lists: split.lists, values }
  } catch {
    return undefined
  }
}

const plain = (file: string, text: string): unknown => new YamlDocument(file, text).value

/** @throws Error where it is none */
function oneEntry(key: string, value: unknown): unknown {
  const list = isMapping(value) && Object.keys(value).length === 1 ? value[key] : undefined
  if (Array.isArray(list) && list.length === 1) return list[0]
  throw new Error('not an entry of a list')
}

/**
 * Reads a YAML file and checks it.
 * @throws ConfigurationError with everything that is wrong, by line and column; its `file` is the path as given
 */
export function parseYamlFile<S extends z.ZodType>(path: string, schema: S): z.output<S> {
  const source = new YamlSource(path, readOrReport(path, path))
  const result = validate(schema, source.value)
  if (result.success) return result.data
  const problems = new ProblemList()
  for (const { path, at, message } of result.problems) {
    problems.add(() => ({ ...source.place(path, at), message }))
  }
  problems.throwIfAny()
  throw new Error('a schema refused a value without saying why')
}

/**
 * Reads a text file; `name` is what messages call it.
 * @throws ConfigurationError
 */
export function readOrReport(path: string, name: string): string {
  try {
    return readTextFile(path)
  } catch (error) {
    if (!(error instanceof UnreadableFile)) throw error
    throw new ConfigurationError([
      { file: name, line: 1, column: 1, path: '', message: `cannot be read: ${error.message}` },
    ])
  }
}
