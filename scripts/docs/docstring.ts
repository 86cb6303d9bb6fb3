/** What a docstring says. */
export interface Docstring {
  /** Its text, as Markdown, in one line a paragraph. */
  readonly text: string
  /** Tag → what stands after it; @example keeps its lines. */
  readonly tags: ReadonlyMap<string, string>
}

/** A member of an interface, with what is said of it. */
export interface Member extends Docstring {
  readonly name: string
  readonly isOptional: boolean
  /** As it is written. */
  readonly type: string
}

/** Reads a comment from its opening to its closing. */
export function parseDocstring(comment: string): Docstring {
  const lines = comment
    .replace(/^\s*\/\*\*\s?/, '')
    .replace(/\s*\*\/\s*$/, '')
    .split('\n')
    .map((line) => line.replace(/^\s*\* ?/, ''))
  const tags = new Map<string, string[]>()
  const text: string[] = []
  let current = text
  for (const line of lines) {
    const [, tag, rest = ''] = /^@(\w+)\s?(.*)$/.exec(line) ?? []
    if (tag) {
      current = [rest]
      tags.set(tag, current)
    } else current.push(line)
  }
  return {
    text: joined(text),
    tags: new Map(
      [...tags].map(([tag, said]) => [tag, tag === 'example' ? said.join('\n').trim() : joined(said)]),
    ),
  }
}

const joined = (lines: readonly string[]) =>
  lines
    .join('\n')
    .trim()
    .split(/\n\n+/)
    .map((paragraph) => paragraph.replaceAll('\n', ' '))
    .join('\n\n')

const comment = String.raw`(/\*\*(?:(?!\*/)[\s\S])*\*/)\n`

/** The docstring of an exported class, and the source from there on; undefined where the source has no such class. */
export function classDocstring(source: string, name: string): Docstring | undefined {
  const match = new RegExp(`${comment}export class ${name}\\b`).exec(source)
  return match ? parseDocstring(match[1]!) : undefined
}

/** Members of an exported interface, in their order; undefined where the source has no such interface. */
export function interfaceMembers(source: string, name: string): Member[] | undefined {
  const body = new RegExp(`export interface ${name}\\b[^{]*\\{\\n([\\s\\S]*?)\\n\\}`).exec(source)?.[1]
  if (body === undefined) return undefined
  const member = new RegExp(`(?:  ${comment})?  readonly (\\w+)(\\?)?: ([^\\n]+)`, 'g')
  return [...body.matchAll(member)].map(([, docs = '', key = '', optional, type = '']) => ({
    ...parseDocstring(docs),
    name: key,
    isOptional: optional !== undefined,
    type: type.trim(),
  }))
}
