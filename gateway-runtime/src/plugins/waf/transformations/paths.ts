/** normalizePath: takes out empty segments and ., and .. with the segment before it. */
export function normalizePath(text: string): string {
  if (!text.includes('//') && !text.includes('.')) return text
  const absolute = text.startsWith('/')
  const segments: string[] = []
  for (const segment of text.split('/')) {
    if (segment === '' || segment === '.') continue
    const last = segments.at(-1)
    if (segment !== '..') segments.push(segment)
    else if (last !== undefined && last !== '..') segments.pop()
    else if (!absolute) segments.push(segment) // above its start only a relative path may lead
  }
  const path = `${absolute ? '/' : ''}${segments.join('/')}`
  const trailing = text.endsWith('/') && segments.length > 0
  return trailing ? `${path}/` : path
}

/** normalizePathWin: the same, after backslashes have become slashes. */
export const normalizePathWin = (text: string): string => normalizePath(text.replaceAll('\\', '/'))
