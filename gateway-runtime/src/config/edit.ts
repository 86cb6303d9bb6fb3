import { isDeepStrictEqual } from 'node:util'
import { withList } from './edit-list.ts'
import { EditRefused } from './flow-collection.ts'
import type { FolderContents } from './folder.ts'
import { isMapping } from './merge.ts'
import { pluginIdOf } from './plugin-id.ts'
import type { Collection } from './schema.ts'
import type { ListEntry } from './yaml-editor.ts'
import { YamlSource } from './yaml-source.ts'

/*
 * Changes of single entities in the text of a configuration folder. Nothing is written, and nothing is checked but
 * that the text afterwards says what was asked for: whether the configuration is right, `loadConfiguration` says.
 */

/** An entity of this name is there already. */
export class EntityExists extends Error {
  override readonly name = 'EntityExists'
  readonly code = 'entity-exists'
}

/** No entity has this name. */
export class EntityNotFound extends Error {
  override readonly name = 'EntityNotFound'
  readonly code = 'entity-not-found'
}

/** What an entity shall be; undefined: gone. One that is not there yet is added. */
export interface EntityEdit {
  readonly collection: Collection
  /** What it is called so far; its name, or of a plugin the `pluginId`. */
  readonly id: string
  readonly entity: object | undefined
}

/**
 * Makes several entities what they shall be, each where it stands; a new one goes to the file that holds most of its collection;
 * else services and upstreams go to services.yaml where there is one, and anything to config.yaml. Only the keys given
 * are written, and comments above what is deleted stay.
 * @throws EditRefused, or ConfigurationError when a file is not YAML
 */
export function editEntities(contents: FolderContents, edits: readonly EntityEdit[]): FolderContents {
  return [...Map.groupBy(edits, ({ collection }) => collection)].reduce(
    (texts, [collection, own]) => editCollection(texts, collection, own),
    contents,
  )
}

function editCollection(
  contents: FolderContents,
  collection: Collection,
  edits: readonly EntityEdit[],
): FolderContents {
  const files = listFiles(contents, collection)
  const wanted = new Map(edits.map(({ id, entity }) => [id, entity]))
  const home = fileFor(files, collection)
  const lists = files.map((file) => {
    const entries = file.items.flatMap((value, from): ListEntry[] => {
      const id = isMapping(value) ? idOf(collection, value) : undefined
      if (id === undefined || !wanted.has(id)) return [{ from, value }]
      const entity = wanted.get(id)
      wanted.delete(id)
      return entity === undefined ? [] : [{ from, value: given(entity) }]
    })
    return { file, entries }
  })
  const added = [...wanted.values()].flatMap((entity) => (entity ? [{ value: given(entity) }] : []))
  if (!files.includes(home)) lists.push({ file: home, entries: [] })
  return lists.reduce((texts, { file, entries }) => {
    const all = file === home ? [...entries, ...added] : entries
    const isAsItWas =
      all.length === file.items.length && all.every(({ value }, index) => value === file.items[index])
    return isAsItWas ? texts : change(texts, file, collection, all)
  }, contents)
}

/** A file, and what it holds of a collection. */
interface ListFile {
  readonly source: YamlSource
  readonly holdsKey: boolean
  readonly items: readonly unknown[]
}

function listFiles(contents: FolderContents, collection: Collection): ListFile[] {
  return [...contents].map(([name, text]) => {
    const source = YamlSource.read(name, text)
    const list = isMapping(source.value) ? source.value[collection] : undefined
    return { source, holdsKey: list !== undefined, items: Array.isArray(list) ? list : [] }
  })
}

function fileFor(files: readonly ListFile[], collection: Collection): ListFile {
  const byName = (pattern: RegExp) => files.find(({ source }) => pattern.test(source.file))
  const [holder] = files.filter(({ holdsKey }) => holdsKey).sort((a, b) => b.items.length - a.items.length)
  const services =
    collection === 'services' || collection === 'upstreams' ? byName(/^services\.ya?ml$/) : undefined
  const config = byName(/^config\.ya?ml$/)
  return (
    holder ?? services ?? config ?? { source: new YamlSource('config.yaml', ''), holdsKey: false, items: [] }
  )
}

function change(
  contents: FolderContents,
  { source, items }: ListFile,
  collection: Collection,
  entries: readonly ListEntry[],
): FolderContents {
  const text = withList(source, collection, items, entries)
  const expected = { ...(source.value as object), [collection]: entries.map(({ value }) => value) }
  if (!says(source.file, text, expected)) {
    throw new EditRefused(
      `${source.file} is written in a way that this change would harm; change it in an editor`,
    )
  }
  return new Map([...contents, [source.file, text]])
}

/** The proof of an edit: whether a text holds just this. */
function says(file: string, text: string, expected: unknown): boolean {
  try {
    return isDeepStrictEqual(YamlSource.read(file, text).value, expected)
  } catch {
    return false
  }
}

function idOf(collection: Collection, entity: object): string {
  const named = entity as Readonly<Record<string, unknown>>
  return collection === 'plugins' ? pluginIdOf(named) : String(named.name)
}

/** As JSON has it: keys without a value are not there. */
const given = (entity: object): unknown => JSON.parse(JSON.stringify(entity))
