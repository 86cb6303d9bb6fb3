import { YamlDocument } from './yaml-document.ts'
import { type ListEntry, YamlEditor } from './yaml-editor.ts'
import type { TextEntry } from './yaml-lists.ts'
import type { YamlSource } from './yaml-source.ts'
import { styleOf } from './yaml-text.ts'

/**
 * The text of a file with other entries in one of its lists. Of a long list only the part that changes is looked at.
 * @param items - the entries so far
 * @throws EditRefused
 */
export function withList(
  source: YamlSource,
  key: string,
  items: readonly unknown[],
  entries: readonly ListEntry[],
): string {
  const style = styleOf(source.text)
  const edit = (document: YamlDocument, changed: readonly ListEntry[]): string => {
    const editor = new YamlEditor(document, style)
    editor.setList(key, changed)
    return editor.toString()
  }
  const texts = source.entries(key)
  const part = texts && changedPart(items, entries)
  if (!texts || !part) return edit(source.document, entries)
  const { first, end, changed } = part
  const [start, stop] = [texts[first]!.offset, endOf(texts[end - 1]!)]
  const header = `${key}:${style.newline}`
  const document = new YamlDocument(source.file, header + source.text.slice(start, stop))
  return source.text.slice(0, start) + edit(document, changed).slice(header.length) + source.text.slice(stop)
}

const endOf = ({ offset, text }: TextEntry) => offset + text.length

interface ChangedPart {
  /** Of the entries so far: the first one, and the one after the last. */
  readonly first: number
  readonly end: number
  /** What comes in their place. */
  readonly changed: readonly ListEntry[]
}

/**
 * What lies between the entries that stay at both ends, with one of those: new entries are written like their
 * neighbour, and a list in which none is left is written otherwise. Undefined: that is the whole list.
 */
function changedPart(items: readonly unknown[], entries: readonly ListEntry[]): ChangedPart | undefined {
  const shortest = Math.min(items.length, entries.length)
  const stays = (at: number, index: number) =>
    entries[at]!.from === index && entries[at]!.value === items[index]
  let before = 0
  while (before < shortest && stays(before, before)) before++
  let after = 0
  const shift = entries.length - items.length
  while (after < shortest - before && stays(items.length - 1 - after + shift, items.length - 1 - after))
    after++
  if (before > 0) before--
  else if (after > 0) after--
  else return undefined
  const end = items.length - after
  const changed = entries
    .slice(before, entries.length - after)
    .map(({ from, value }) => (from === undefined ? { value } : { from: from - before, value }))
  return { first: before, end, changed }
}
