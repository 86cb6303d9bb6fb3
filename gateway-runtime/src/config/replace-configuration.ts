import { isDeepStrictEqual } from 'node:util'
import { parseDocument } from 'yaml'
import { entityName } from './difference.ts'
import { editEntities } from './edit.ts'
import { EditRefused } from './flow-collection.ts'
import type { FolderContents } from './folder.ts'
import { isMapping } from './merge.ts'
import { type Collection, entitySchemas } from './schema.ts'
import { YamlSource } from './yaml-source.ts'

type Configuration = Readonly<Record<string, unknown>>

/**
 * Makes the texts of a folder say another configuration. Entities that stay what they are keep their place and their
 * comments; those that are not given are gone. Settings of the node that are not given stay.
 * @param shown - what the texts say, as `LoadedConfiguration.shown`
 * @throws EditRefused, or ConfigurationError when a file is not YAML
 */
export function replaceConfiguration(
  contents: FolderContents,
  shown: unknown,
  wanted: Configuration,
): FolderContents {
  const before = isMapping(shown) ? shown : {}
  const edits = (Object.keys(entitySchemas) as Collection[]).flatMap((collection) => {
    const [old, now] = [before[collection], wanted[collection]].map((list) => byName(collection, list))
    const names = [...new Set([...old!.keys(), ...now!.keys()])]
    return names
      .filter((name) => !isDeepStrictEqual(old!.get(name), now!.get(name)))
      .map((id) => ({ collection, id, entity: now!.get(id) }))
  })
  const settings = Object.entries(wanted).filter(
    ([key, value]) => !Object.hasOwn(entitySchemas, key) && !isDeepStrictEqual(before[key], value),
  )
  return settings.reduce(
    (texts, [key, value]) => editSetting(texts, key, value),
    editEntities(contents, edits),
  )
}

/** Entities without a name are told by their place: the schema says what is wrong with them. */
function byName(collection: Collection, list: unknown): Map<string, object> {
  const entities = Array.isArray(list) ? (list as unknown[]) : []
  return new Map(
    entities.map((entity, index) => {
      const name =
        isMapping(entity) && typeof entity.name === 'string' ? entityName(collection, entity) : `#${index}`
      return [name, (isMapping(entity) ? entity : { name: entity }) as object]
    }),
  )
}

function editSetting(contents: FolderContents, key: string, value: unknown): FolderContents {
  const holders = [...contents].filter(([file, text]) => {
    const found = YamlSource.read(file, text).value
    return isMapping(found) && found[key] !== undefined
  })
  if (holders.length > 1) {
    throw new EditRefused(
      `${key} stands in ${holders.map(([file]) => file).join(' and ')}; change it in an editor`,
    )
  }
  const [file, text] = holders[0] ?? ['config.yaml', contents.get('config.yaml') ?? '']
  const document = parseDocument(text)
  document.set(key, value)
  return new Map([...contents, [file, document.toString({ lineWidth: 110 })]])
}
