/** One entry of an archive; paths are relative to its root and use slashes. */
export type Entry =
  | { readonly kind: 'file'; readonly path: string; readonly mode: number; readonly content: Buffer }
  | { readonly kind: 'directory'; readonly path: string; readonly mode: number }
  | { readonly kind: 'link'; readonly path: string; readonly target: string }

export const file = (path: string, content: string | Buffer, mode = 0o644): Entry => ({
  kind: 'file',
  path,
  mode,
  content: Buffer.from(content),
})

export const link = (path: string, target: string): Entry => ({ kind: 'link', path, target })

export const directory = (path: string, mode = 0o755): Entry => ({ kind: 'directory', path, mode })

const typeFlags = { file: '0', link: '2', directory: '5' } as const

/**
 * A tar archive (POSIX.1-1988 ustar) of the entries and of the folders that they stand in, sorted by path, all of
 * root, all of one time: equal entries give equal bytes.
 * @param time - modification time of all entries, in seconds since 1970
 * @param prefix - stands before every path; './' in Debian packages
 * @throws Error where a path or target does not fit into a header (100 bytes), or stands there twice
 */
export function tar(entries: readonly Entry[], time: number, prefix = ''): Buffer {
  const blocks: Buffer[] = []
  for (const entry of withFolders(entries)) {
    const content = entry.kind === 'file' ? entry.content : Buffer.alloc(0)
    blocks.push(tarHeader(entry, content.length, time, prefix), content)
    blocks.push(Buffer.alloc((512 - (content.length % 512)) % 512))
  }
  return Buffer.concat([...blocks, Buffer.alloc(1024)])
}

function withFolders(entries: readonly Entry[]): Entry[] {
  const byPath = new Map<string, Entry>()
  for (const entry of entries) {
    if (byPath.has(entry.path)) throw new Error(`archive: ${entry.path} stands there twice`)
    byPath.set(entry.path, entry)
  }
  for (const { path } of entries) {
    const parts = path.split('/').slice(0, -1)
    for (let depth = 1; depth <= parts.length; depth++) {
      const folder = parts.slice(0, depth).join('/')
      if (!byPath.has(folder)) byPath.set(folder, directory(folder))
    }
  }
  return [...byPath.values()].sort((a, b) => (a.path < b.path ? -1 : 1))
}

function tarHeader(entry: Entry, size: number, time: number, prefix: string): Buffer {
  const name = `${prefix}${entry.path}${entry.kind === 'directory' ? '/' : ''}`
  const target = entry.kind === 'link' ? entry.target : ''
  if (Buffer.byteLength(name) > 100 || Buffer.byteLength(target) > 100) {
    throw new Error(`archive: ${name} is longer than the 100 bytes that a tar header holds`)
  }
  const header = Buffer.alloc(512)
  const octal = (value: number, at: number, length: number) =>
    header.write(`${value.toString(8).padStart(length - 1, '0')}\0`, at, 'latin1')
  header.write(name, 0)
  octal(entry.kind === 'link' ? 0o777 : entry.mode, 100, 8)
  octal(0, 108, 8)
  octal(0, 116, 8)
  octal(size, 124, 12)
  octal(time, 136, 12)
  header.write(' '.repeat(8), 148)
  header.write(typeFlags[entry.kind], 156)
  header.write(target, 157)
  header.write('ustar\x0000', 257, 'latin1')
  header.write('root', 265)
  header.write('root', 297)
  const sum = header.reduce((total, byte) => total + byte, 0)
  header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1')
  return header
}

/** An ar archive as Debian packages are (deb(5)): members in the order given, all of root, all of one time. */
export function ar(members: readonly (readonly [name: string, content: Buffer])[], time: number): Buffer {
  const parts: Buffer[] = [Buffer.from('!<arch>\n')]
  for (const [name, content] of members) {
    const fields = [name.padEnd(16), `${time}`.padEnd(12), '0'.padEnd(6), '0'.padEnd(6), '100644'.padEnd(8)]
    parts.push(Buffer.from(`${fields.join('')}${`${content.length}`.padEnd(10)}\`\n`), content)
    if (content.length % 2 === 1) parts.push(Buffer.from('\n'))
  }
  return Buffer.concat(parts)
}
