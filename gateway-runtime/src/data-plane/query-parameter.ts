/**
 * The first value of a parameter of a query, decoded as forms are (`+` is a space); undefined where it is not there,
 * '' where it has no value. A broken escape is left as it stands.
 * @param query - with its question mark, or ''
 */
export function queryParameter(query: string, name: string): string | undefined {
  for (let start = 1; start < query.length; ) {
    const next = query.indexOf('&', start)
    const end = next < 0 ? query.length : next
    const sign = query.indexOf('=', start)
    const nameEnd = sign < 0 || sign > end ? end : sign
    if (decode(query, start, nameEnd) === name) return decode(query, nameEnd + 1, end)
    start = end + 1
  }
  return undefined
}

/** The query without a parameter, whatever its values; what is left stays as it was written. */
export function withoutParameter(query: string, name: string): string {
  const kept = query
    .slice(1)
    .split('&')
    .filter((pair) => decode(pair, 0, pair.indexOf('=') < 0 ? pair.length : pair.indexOf('=')) !== name)
  return kept.length > 0 ? `?${kept.join('&')}` : ''
}

function decode(query: string, start: number, end: number): string {
  const text = query.substring(start, end)
  if (!/[%+]/.test(text)) return text
  const spaced = text.replaceAll('+', ' ')
  try {
    return decodeURIComponent(spaced)
  } catch {
    return spaced
  }
}
