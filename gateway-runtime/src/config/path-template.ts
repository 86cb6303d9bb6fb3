import { isPattern, patternSource } from './route-pattern.ts'

/** A piece of a path: text as it is, or what stands in its place in the path of a request. */
export type TemplatePart =
  | { readonly kind: 'text'; readonly text: string }
  /** What a group of the regular expression matched: its number, or its name. */
  | { readonly kind: 'group'; readonly group: string }
  /** What is behind the matched part of the path. */
  | { readonly kind: 'rest' }

/**
 * Reads a template such as `/v2/$1`, `/v2/$<id>` or `/internal$rest`; `$$` is a dollar sign. Undefined for what is
 * none.
 */
export function parseTemplate(template: string): readonly TemplatePart[] | undefined {
  if (!/^(?:[^$]|\$(?:\$|[1-9]\d?|<[A-Za-z_]\w*>|rest))*$/.test(template)) return undefined
  return [...template.matchAll(/\$\$|\$rest|\$<(\w+)>|\$(\d+)|[^$]+/g)].map(([text, name, number]) => {
    const group = name ?? number
    if (group !== undefined) return { kind: 'group', group }
    return text === '$rest' ? { kind: 'rest' } : { kind: 'text', text: text === '$$' ? '$' : text }
  })
}

/** Which groups of a template a path of a route does not have: `paths` as they are written. */
export function missingGroups(template: readonly TemplatePart[], paths: readonly string[]): string[] {
  const asked = template.flatMap((part) => (part.kind === 'group' ? part.group : []))
  const given = (paths.length === 0 ? ['/'] : paths).map(groupsOf)
  return asked.filter((group) => given.some((groups) => !groups.has(group)))
}

function groupsOf(path: string): ReadonlySet<string> {
  if (!isPattern(path)) return new Set()
  // An alternative that matches nothing lets the expression say which groups it has.
  const match = new RegExp(`${patternSource(path)}|`).exec('')!
  return new Set(
    [...match.keys()]
      .slice(1)
      .map(String)
      .concat(Object.keys(match.groups ?? {})),
  )
}
