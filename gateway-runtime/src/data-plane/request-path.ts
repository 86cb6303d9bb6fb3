/** A request target in the one form that router, plugins and upstream see, or what is wrong with it. */
export type RequestPath = { readonly path: string; readonly query: string } | { readonly problem: string }

// None of these: the path is in its normal form already. All of them need a look.
const suspicious = /[%\\#]|\/\/|\/\.|[^\x21-\x7e]/

/**
 * Normalises the target of a request in origin form (RFC 3986 section 6.2.2): dot segments are resolved, escapes of
 * unreserved characters decoded and the others written in upper case, repeated slashes merged. So a path cannot
 * mean one thing to a rule of the gateway and another to the server behind it.
 *
 * Refused: an encoded slash, backslash or NUL, a raw backslash, a fragment, a broken escape, a step above the root.
 */
export function normalizeTarget(target: string): RequestPath {
  if (target.charCodeAt(0) !== 0x2f) return { problem: 'the target must begin with a slash' }
  const mark = target.indexOf('?')
  const path = mark < 0 ? target : target.substring(0, mark)
  const query = mark < 0 ? '' : target.substring(mark)
  if (query.includes('#')) return { problem: 'the target holds a fragment' }
  return suspicious.test(path) ? normalizePath(path, query) : { path, query }
}

const dotSegment = /\/(?:\.|%2e){1,2}(?:\/|$)/i

/**
 * Whether a path steps about (`.`, `..`). One in its normal form does not; one that was put together of its pieces may:
 * what is behind `/files` in `/files../secret` does.
 */
export const hasDotSegment = (path: string): boolean => dotSegment.test(path)

function normalizePath(path: string, query: string): RequestPath {
  if (/[\\#]/.test(path)) return { problem: 'the path holds a backslash or a fragment' }
  if (/%(?![0-9A-Fa-f]{2})/.test(path)) return { problem: 'the path holds a broken escape' }
  if (/%(?:00|2f|5c)/i.test(path)) return { problem: 'the path holds an encoded slash, backslash or NUL' }
  const decoded = path.replace(/%[0-9A-Fa-f]{2}/g, (encoded) => {
    const character = String.fromCharCode(Number.parseInt(encoded.substring(1), 16))
    return /[A-Za-z0-9._~-]/.test(character) ? character : encoded.toUpperCase()
  })
  const segments: string[] = []
  const parts = decoded.split('/').slice(1)
  for (const [index, part] of parts.entries()) {
    const isLast = index === parts.length - 1
    if (part === '..' && segments.pop() === undefined) return { problem: 'the path steps above the root' }
    if (part !== '' && part !== '.' && part !== '..') segments.push(part)
    else if (isLast) segments.push('')
  }
  return { path: `/${segments.join('/')}`, query }
}
