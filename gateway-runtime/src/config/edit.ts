import { isDeepStrictEqual } from 'node:util'
import { EditRefused } from './flow-collection.ts'
import type { FolderContents } from './folder.ts'
import { isMapping } from './merge.ts'
import { pluginIdOf } from './plugin-id.ts'
import type { Collection } from './schema.ts'
import { type ListEntry, YamlEditor } from './yaml-editor.ts'
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

const singular: Readonly<Record<Collection, string>> = {
  services: 'service',
  routes: 'route',
  upstreams: 'upstream',
  consumers: 'consumer',
  plugins: 'plugin',
  certificates: 'certificate',
}

/**
 * Appends an entity to the file that holds most of its collection; else services and upstreams to services.yaml where
 * there is one, and anything to config.yaml. Only the keys given are written.
 * @throws EntityExists, EditRefused, or ConfigurationError when a file is not YAML
 */
export function addEntity(contents: FolderContents, collection: Collection, entity: object): FolderContents {
  const id = idOf(collection, entity)
  const files = listFiles(contents, collection)
  if (find(files, collection, id)) {
    throw new EntityExists(`a ${singular[collection]} named ${JSON.stringify(id)} is there already`)
  }
  return append(contents, files, collection, entity)
}

/**
 * Replaces an entity, key by key, where it stands; adds it where it is not there yet.
 * @throws EditRefused, or ConfigurationError when a file is not YAML
 */
export function putEntity(
  contents: FolderContents,
  collection: Collection,
  id: string,
  entity: object,
): FolderContents {
  const files = listFiles(contents, collection)
  const found = find(files, collection, id)
  if (!found) return append(contents, files, collection, entity)
  const { file, index } = found
  const entries = file.items.map((value, from) => ({ from, value: from === index ? given(entity) : value }))
  return change(contents, file, collection, entries)
}

/**
 * Removes an entity with the comments within it; comments above it stay.
 * @throws EntityNotFound, EditRefused, or ConfigurationError when a file is not YAML
 */
export function deleteEntity(contents: FolderContents, collection: Collection, id: string): FolderContents {
  const found = find(listFiles(contents, collection), collection, id)
  if (!found) throw new EntityNotFound(`no ${singular[collection]} is named ${JSON.stringify(id)}`)
  const { file, index } = found
  const entries = file.items.map((value, from) => ({ from, value })).filter(({ from }) => from !== index)
  return change(contents, file, collection, entries)
}

/** A file, and what it holds of a collection. */
interface ListFile {
  readonly source: YamlSource
  readonly holdsKey: boolean
  readonly items: readonly unknown[]
}

function listFiles(contents: FolderContents, collection: Collection): ListFile[] {
  return [...contents].map(([name, text]) => {
    const source = new YamlSource(name, text)
    const list = isMapping(source.value) ? source.value[collection] : undefined
    return { source, holdsKey: list !== undefined, items: Array.isArray(list) ? list : [] }
  })
}

function find(files: readonly ListFile[], collection: Collection, id: string) {
  for (const file of files) {
    const index = file.items.findIndex((item) => isMapping(item) && idOf(collection, item) === id)
    if (index >= 0) return { file, index }
  }
  return undefined
}

function append(
  contents: FolderContents,
  files: readonly ListFile[],
  collection: Collection,
  entity: object,
): FolderContents {
  const file = fileFor(files, collection)
  const entries = [...file.items.map((value, from) => ({ from, value })), { value: given(entity) }]
  return change(contents, file, collection, entries)
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
  { source }: ListFile,
  collection: Collection,
  entries: readonly ListEntry[],
): FolderContents {
  const editor = new YamlEditor(source)
  editor.setList(collection, entries)
  const text = editor.toString()
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
    return isDeepStrictEqual(new YamlSource(file, text).value, expected)
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
