import { createHash } from 'node:crypto'
import { promisify } from 'node:util'
import { gzip } from 'node:zlib'
import { ar, type Entry, file, tar } from './archive.ts'

const compress = promisify(gzip)

/** A maintainer script of deb-conffiles(5) and deb-postinst(5). */
export type MaintainerScript = 'preinst' | 'postinst' | 'prerm' | 'postrm'

export interface DebianPackage {
  readonly name: string
  readonly version: string
  readonly architecture: 'amd64' | 'arm64' | 'all'
  readonly depends: string
  readonly recommends?: string
  /** One line; then paragraphs, without the leading spaces of the control file. */
  readonly summary: string
  readonly description: readonly string[]
  readonly entries: readonly Entry[]
  /** Paths of the entries that belong to the host's administrator: an upgrade keeps what they changed. */
  readonly configurationFiles?: readonly string[]
  readonly scripts?: Partial<Record<MaintainerScript, string>>
}

/** A package as the repository needs it. */
export interface BuiltPackage {
  /** `gateway-runtime_0.1.0_amd64.deb`. */
  readonly fileName: string
  readonly content: Buffer
  /** The stanza of the control file, without a line end at the end. */
  readonly control: string
  readonly name: string
  readonly architecture: string
}

export const maintainer = 'Gatehouse maintainers <maintainers@gatehouse.invalid>'

const sizeOf = (entry: Entry) => (entry.kind === 'file' ? entry.content.length : 0)

function controlFile(description: DebianPackage): string {
  const { name, version, architecture, depends, recommends, summary, entries } = description
  const kibibytes = Math.ceil(entries.reduce((sum, entry) => sum + sizeOf(entry), 0) / 1024)
  const fields = [
    ['Package', name],
    ['Version', version],
    ['Architecture', architecture],
    ['Maintainer', maintainer],
    ['Installed-Size', `${kibibytes}`],
    ...(depends ? [['Depends', depends]] : []),
    ...(recommends ? [['Recommends', recommends]] : []),
    ['Section', 'net'],
    ['Priority', 'optional'],
    ['Description', [summary, ...description.description.join('\n.\n').split('\n')].join('\n ')],
  ]
  return fields.map(([field, value]) => `${field}: ${value}`).join('\n')
}

/**
 * Builds a Debian package (deb(5)): equal descriptions give equal bytes.
 * @param time - modification time of all that it holds, in seconds since 1970
 */
export async function buildDebianPackage(description: DebianPackage, time: number): Promise<BuiltPackage> {
  const { name, version, architecture, entries, configurationFiles = [], scripts = {} } = description
  const control = controlFile(description)
  const sums = entries
    .filter((entry) => entry.kind === 'file' && !configurationFiles.includes(entry.path))
    .map((entry) => `${md5(entry.kind === 'file' ? entry.content : Buffer.alloc(0))}  ${entry.path}\n`)
    .sort((a, b) => (a.slice(34) < b.slice(34) ? -1 : 1))
  const controlEntries = [
    file('control', `${control}\n`),
    file('md5sums', sums.join('')),
    ...(configurationFiles.length > 0
      ? [file('conffiles', configurationFiles.map((path) => `/${path}\n`).join(''))]
      : []),
    ...Object.entries(scripts).map(([script, text]) => file(script, text, 0o755)),
  ]
  const content = ar(
    [
      ['debian-binary', Buffer.from('2.0\n')],
      ['control.tar.gz', await compress(tar(controlEntries, time, './'), { level: 9 })],
      ['data.tar.gz', await compress(tar(entries, time, './'), { level: 6 })],
    ],
    time,
  )
  return { fileName: `${name}_${version}_${architecture}.deb`, content, control, name, architecture }
}

const md5 = (content: Buffer) => createHash('md5').update(content).digest('hex')
