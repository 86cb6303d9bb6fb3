import type { FolderContents } from '@gatehouse/gateway-runtime/config'
import fc from 'fast-check'
import { parse, stringify } from 'yaml'

/** Configuration folders as people write them: lists in all styles of YAML, with comments everywhere. */
export interface WrittenFolder {
  readonly contents: FolderContents
  /** By collection, over all files. */
  readonly entities: Readonly<Record<string, readonly Named[]>>
  /** Comments that belong to no entity: no edit takes them away. */
  readonly comments: readonly string[]
  /** Each entity as it is written. */
  readonly texts: readonly { readonly collection: string; readonly name: string; readonly text: string }[]
}

export interface Named {
  readonly name: string
}

interface ListStyle {
  readonly kind: 'block' | 'flow items' | 'flow' | 'flow lines'
  readonly indentation: number
  readonly comments: boolean
  readonly trailingComma: boolean
}

const listStyle: fc.Arbitrary<ListStyle> = fc.record({
  kind: fc.constantFrom('block', 'flow items', 'flow', 'flow lines'),
  indentation: fc.constantFrom(0, 2, 4),
  comments: fc.boolean(),
  trailingComma: fc.boolean(),
})

const folderStyle = fc.record({
  styles: fc.array(listStyle, { minLength: 6, maxLength: 6 }),
  newline: fc.constantFrom('\n', '\r\n'),
  lastNewline: fc.boolean(),
  empty: fc.constantFrom('[]', '[] # empty', '# commented out', 'null', ''),
})

const collections = ['routes', 'services', 'upstreams']
const files = ['config.yaml', 'services.yaml']

/** Folders of entities; each name stands once in a collection. */
export function written(entity: fc.Arbitrary<Named>): fc.Arbitrary<WrittenFolder> {
  const list = fc.uniqueArray(entity, { maxLength: 3, selector: ({ name }) => name })
  const placed = fc.record({ list, file: fc.constantFrom(...files), isGiven: fc.boolean() })
  return fc.tuple(folderStyle, fc.tuple(placed, placed, placed)).map(([style, lists]) => {
    const writer = new Writer(style.newline)
    const entities: Record<string, readonly Named[]> = {}
    const texts = new Map(files.map((file) => [file, writer.comment()]))
    for (const [index, { list, file, isGiven }] of lists.entries()) {
      const collection = collections[index]!
      entities[collection] = list
      if (list.length === 0 && !isGiven) continue
      const text =
        list.length === 0
          ? `${collection}: ${style.empty}\n`
          : writer.list(collection, list, style.styles[index]!)
      texts.set(file, texts.get(file) + text + writer.comment())
    }
    const contents = new Map(
      [...texts].map(([file, text]) => {
        const given = style.lastNewline ? text : text.replace(/\n$/, '')
        return [file, given.replaceAll('\n', style.newline)]
      }),
    )
    return { contents, entities, comments: writer.comments, texts: writer.texts }
  })
}

class Writer {
  readonly comments: string[] = []
  readonly texts: { collection: string; name: string; text: string }[] = []
  readonly #newline: string

  constructor(newline: string) {
    this.#newline = newline
  }

  comment(column = 0): string {
    const text = `# comment ${this.comments.length};`
    this.comments.push(text)
    return `${' '.repeat(column)}${text}\n`
  }

  list(collection: string, list: readonly Named[], style: ListStyle): string {
    const column = ' '.repeat(style.indentation)
    const comment = () => (style.comments ? this.comment(style.indentation) : '')
    const keep = (name: string, text: string) => {
      this.texts.push({ collection, name, text: text.replaceAll('\n', this.#newline) })
      return text
    }
    if (style.kind === 'flow')
      return `${collection}: [${list.map((item) => keep(item.name, flow(item))).join(', ')}]\n`
    if (style.kind === 'flow lines') {
      const lines = list.map((item, index) => {
        const comma = index < list.length - 1 || style.trailingComma ? ',' : ''
        return `${column}  ${keep(item.name, flow(item))}${comma} ${comment().trimStart() || '\n'}`
      })
      return `${collection}: [\n${lines.join('')}${column} ]\n`
    }
    const items = list.map((item) => {
      const text = style.kind === 'flow items' ? flow(item) : block(item, `${column}  `)
      return `${comment()}${column}- ${keep(item.name, text)}\n`
    })
    return `${collection}:\n${items.join('')}${comment()}`
  }
}

const flow = (value: unknown) => JSON.stringify(value).replaceAll('\u2028', '\\u2028')

const block = (value: unknown, indentation: string) =>
  stringify(value, { lineWidth: 0, aliasDuplicateObjects: false })
    .trimEnd()
    .replaceAll('\n', `\n${indentation}`)

/** What the files say of a collection, in their order. */
export const entitiesIn = (contents: FolderContents, collection: string): Named[] =>
  [...contents.values()].flatMap((text) => parse(text)?.[collection] ?? [])

/** The comments that the writer above made, in their order. */
export const commentsIn = (contents: FolderContents): string[] =>
  [...contents.values()].flatMap((text) => text.match(/# comment \d+;/g) ?? [])
