import { readFile } from 'node:fs/promises'

/** The names to ask DNS for, in this order, where a name may be short for a longer one (resolv.conf(5): search, ndots). */
export async function completions(name: string, file = '/etc/resolv.conf'): Promise<string[]> {
  if (name.endsWith('.')) return [name]
  const text = await readFile(file, 'utf8').catch(() => '')
  const { domains, dots } = readSearchList(text)
  const longer = domains.map((domain) => `${name}.${domain}`)
  return name.split('.').length > dots ? [name, ...longer] : [...longer, name]
}

function readSearchList(text: string): { domains: string[]; dots: number } {
  let domains: string[] = []
  let dots = 1
  for (const line of text.split('\n')) {
    const [keyword, ...values] = line.trim().split(/\s+/)
    if (keyword === 'search' || keyword === 'domain') domains = values.filter((domain) => domain !== '.')
    if (keyword !== 'options') continue
    for (const value of values) dots = Number(/^ndots:(\d{1,2})$/.exec(value)?.[1] ?? dots)
  }
  return { domains, dots }
}
