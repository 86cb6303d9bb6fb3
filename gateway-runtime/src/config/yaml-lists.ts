/** An entry of a list under a key of the top level, as it stands in a file. */
export interface TextEntry {
  /** From the line of its dash to that of the next one, or of the next key. */
  readonly text: string
  /** Where the text begins in the file. */
  readonly offset: number
  /** The line of the dash, from 1. */
  readonly line: number
}

/** A file, taken apart. */
export interface SplitText {
  /** Block lists by their keys. */
  readonly lists: ReadonlyMap<string, readonly TextEntry[]>
  /** The file without the entries of these lists. */
  readonly rest: string
}

const manyDocuments = /^(?:---|\.\.\.|%|\uFEFF)/m
const topLevel = /^(?=[^\s#-])/m
/** A key without a value in its line, and under it, behind comments, the indentation of a dash. */
const listStart = /^([A-Za-z_][\w-]*):[ \t]*(?:#[^\n]*)?\r?\n(?:[ \t]*(?:#[^\n]*)?\r?\n)*( *)-(?=\s|$)/

/**
 * Takes a file apart into the entries of its lists, by the look of its lines alone: an entry goes from a dash to the
 * next one at the same column. Where that cuts through a text or brackets that go over several lines, one of the pieces
 * is no YAML by itself, or its key has a value: who reads the pieces must look, and then read the file as a whole.
 * Undefined: it is not to be taken apart.
 */
export function splitLists(text: string): SplitText | undefined {
  if (manyDocuments.test(text)) return undefined
  const lists = new Map<string, readonly TextEntry[]>()
  let [rest, offset, line] = ['', 0, 1]
  for (const section of text.split(topLevel)) {
    const [, key, indentation] = listStart.exec(section) ?? []
    if (key === undefined) rest += section
    else if (lists.has(key)) return undefined
    else {
      const entries = entriesOf(section, indentation!, offset, line)
      lists.set(key, entries)
      rest += section.slice(0, entries[0]!.offset - offset)
    }
    offset += section.length
    line += newlinesIn(section)
  }
  return lists.size === 0 ? undefined : { lists, rest }
}

function entriesOf(section: string, indentation: string, offset: number, line: number): TextEntry[] {
  const dashes = section.matchAll(new RegExp(`^${indentation}-(?=\\s|$)`, 'gm'))
  const starts = [...dashes].map(({ index }) => index)
  let lineOfDash = line + newlinesIn(section.slice(0, starts[0]))
  return starts.map((start, index) => {
    const text = section.slice(start, starts[index + 1])
    const entry = { text, offset: offset + start, line: lineOfDash }
    lineOfDash += newlinesIn(text)
    return entry
  })
}

function newlinesIn(text: string): number {
  let count = 0
  for (let at = text.indexOf('\n'); at >= 0; at = text.indexOf('\n', at + 1)) count++
  return count
}
