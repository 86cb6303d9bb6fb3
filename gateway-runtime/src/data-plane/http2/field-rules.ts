const goodNames = new Set<string>()
const mostNames = 4_096

/** What is wrong with a field of HTTP/2 (RFC 9113 section 8.2.1), or undefined. */
export function fieldProblem(name: string, value: string): string | undefined {
  if (!goodNames.has(name)) {
    if (!/^:?[a-z0-9!#$%&'*+.^_`|~-]+$/.test(name)) return 'a field name that is none'
    if (goodNames.size < mostNames) goodNames.add(name)
  }
  if (/[^\t\x20-\x7e\x80-\xff]/.test(value)) return `control characters in ${name}`
  if (value.length > 0 && /^[ \t]|[ \t]$/.test(value)) return `white space around ${name}`
  return undefined
}
