import { readFile } from 'node:fs/promises'

/** Whether the system knows a name without DNS: `localhost` (RFC 6761 section 6.3), or one in the file (hosts(5)). */
export async function isKnownToSystem(name: string, file = '/etc/hosts'): Promise<boolean> {
  const wanted = name.toLowerCase().replace(/\.$/, '')
  if (wanted === 'localhost' || wanted.endsWith('.localhost')) return true
  const text = await readFile(file, 'utf8').catch(() => '')
  return text.split('\n').some((line) => {
    const [, ...names] = line.replace(/#.*/, '').trim().toLowerCase().split(/\s+/)
    return names.includes(wanted)
  })
}
