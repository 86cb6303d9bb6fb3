import {
  type Collection,
  type Configuration,
  ConfigurationError,
  editEntities,
  type FolderContents,
  loadConfiguration,
  pluginIdOf,
} from '@gatehouse/gateway-runtime/config'

/** Files by name, config.yaml alone where it is one text. */
export type Files = string | Readonly<Record<string, string>>

export const contentsOf = (files: Files): ReadonlyMap<string, string> =>
  new Map(Object.entries(typeof files === 'string' ? { 'config.yaml': files } : files))

/** Loads files that are nowhere on the disk. */
export const load = (files: Files): Configuration =>
  loadConfiguration('/nowhere', { contents: contentsOf(files) }).configuration

/** The error that something throws; fails when it throws none. */
export function configurationError(run: () => unknown): ConfigurationError {
  try {
    run()
  } catch (error) {
    if (error instanceof ConfigurationError) return error
    throw error
  }
  throw new Error('expected a ConfigurationError')
}

/** A line for each problem of the files. */
export const problemsOf = (files: Files): string[] =>
  configurationError(() => load(files)).message.split('\n')

/** The same as YAML, for a configuration in JavaScript. */
export const asYaml = (value: unknown): string => JSON.stringify(value)

/** One entity more, or another one in its place. */
export function addEntity(contents: FolderContents, collection: Collection, entity: object): FolderContents {
  const named = entity as { readonly name: string }
  return putEntity(
    contents,
    collection,
    collection === 'plugins' ? pluginIdOf({ ...named }) : named.name,
    entity,
  )
}

export const putEntity = (
  contents: FolderContents,
  collection: Collection,
  id: string,
  entity: object,
): FolderContents => editEntities(contents, [{ collection, id, entity }])

export const deleteEntity = (contents: FolderContents, collection: Collection, id: string): FolderContents =>
  editEntities(contents, [{ collection, id, entity: undefined }])
