/** What a path says of fields: `book.id` → `7`. Undefined where the template does not match. */
export type PathTemplate = (path: string) => ReadonlyMap<string, string> | undefined

interface Variable {
  readonly field: string
  readonly from: number
  /** Behind the last segment; undefined: to the end of the path. */
  readonly to: number | undefined
}

/**
 * Compiles a template of google.api.http: `/v1/{name=shelves/*}/books/{id}:archive`. Throws an Error that says what is
 * wrong with it.
 */
export function pathTemplate(template: string): PathTemplate {
  const { patterns, variables, verb } = parse(template)
  const isOpen = patterns.at(-1) === '**'
  const fixed = isOpen ? patterns.slice(0, -1) : patterns
  return (path) => {
    if (!path.startsWith('/')) return undefined
    const whole = verb === '' ? path : withoutEnd(path, `:${verb}`)
    const segments = whole?.slice(1).split('/')
    if (!segments) return undefined
    if (isOpen ? segments.length < fixed.length : segments.length !== fixed.length) return undefined
    const decoded = segments.map(decode)
    if (!fixed.every((pattern, index) => isMatch(pattern, decoded[index]))) return undefined
    if (decoded.includes(undefined)) return undefined
    return new Map(variables.map(({ field, from, to }) => [field, decoded.slice(from, to).join('/')]))
  }
}

const isMatch = (pattern: string, segment: string | undefined) =>
  pattern === '*' ? segment !== undefined && segment !== '' : pattern === segment

const withoutEnd = (text: string, end: string) =>
  text.endsWith(end) ? text.slice(0, -end.length) : undefined

function decode(segment: string): string | undefined {
  try {
    return decodeURIComponent(segment)
  } catch {
    return undefined
  }
}

function parse(template: string): { patterns: string[]; variables: Variable[]; verb: string } {
  const [, path = '', verb = ''] = /^(\/.*?)(?::([^/{}:]+))?$/.exec(template) ?? []
  const patterns: string[] = []
  const variables: Variable[] = []
  const parts = path.slice(1).match(/\{[^{}]*\}|[^/{}]+/g) ?? []
  for (const part of parts) {
    if (!part.startsWith('{')) {
      patterns.push(part)
      continue
    }
    const [field = '', inner = '*'] = part.slice(1, -1).split('=')
    const from = patterns.length
    patterns.push(...inner.split('/'))
    variables.push({ field, from, to: inner.endsWith('**') ? undefined : patterns.length })
  }
  const early = patterns.slice(0, -1).includes('**')
  const isWhole = `/${parts.join('/')}` === path
  if (path === '' || early || !isWhole || variables.some(({ field }) => !/^\w+(\.\w+)*$/.test(field))) {
    throw new Error(`the path ${template} cannot be read; expected such as /v1/{name=shelves/*}/books/{id}`)
  }
  return { patterns, variables, verb }
}
