import { createHash } from 'node:crypto'
import { mkdir, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { architectures } from './architecture.ts'
import { gzipped } from './debian-documents.ts'
import type { BuiltPackage } from './debian-package.ts'
import type { SigningKey } from './signing-key.ts'

const hash = (algorithm: string, content: Buffer) => createHash(algorithm).update(content).digest('hex')
/** Where a package lies below the folder of the repository. */
export const poolPath = ({ name, fileName }: BuiltPackage) => `pool/main/${name[0]}/${name}/${fileName}`

/**
 * Writes a signed apt repository as a folder for any web server or bucket: the packages in `pool`, the indices in
 * `dists/SUITE`.
 * @param time - Date of the Release file, and time of the signatures, in seconds since 1970
 */
export async function writeAptRepository(
  folder: string,
  suite: string,
  packages: readonly BuiltPackage[],
  key: SigningKey,
  time: number,
): Promise<void> {
  const files = new Map(packages.map((built) => [poolPath(built), built.content]))
  const indices = new Map<string, Buffer>()
  for (const architecture of Object.keys(architectures)) {
    const index = packagesIndex(
      packages.filter((built) => ['all', architecture].includes(built.architecture)),
    )
    indices.set(`main/binary-${architecture}/Packages`, Buffer.from(index))
    indices.set(`main/binary-${architecture}/Packages.gz`, gzipped(index))
  }
  for (const [path, content] of indices) files.set(`dists/${suite}/${path}`, content)
  const release = releaseFile(suite, indices, time)
  files.set(`dists/${suite}/Release`, Buffer.from(release))
  files.set(`dists/${suite}/InRelease`, await key.clearSign(release, time))
  files.set(`dists/${suite}/Release.gpg`, await key.sign(release, time))
  files.set('gateway-archive-keyring.gpg', key.publicKey)
  files.set('gateway-archive-keyring.asc', armoured(key.publicKey))
  for (const [path, content] of files) {
    await mkdir(dirname(join(folder, path)), { recursive: true })
    await writeFile(join(folder, path), content)
  }
}

/** A public key as text (RFC 9580, 6.2). */
const armoured = (key: Buffer) => {
  const lines = key.toString('base64').match(/.{1,64}/g) ?? []
  const [begin, end] = ['BEGIN', 'END'].map((word) => `-----${word} PGP PUBLIC KEY BLOCK-----`)
  return Buffer.from(`${[begin, '', ...lines, end].join('\n')}\n`)
}

const packagesIndex = (packages: readonly BuiltPackage[]) =>
  packages
    .map((built) => {
      const { content } = built
      const facts = [
        `Filename: ${poolPath(built)}`,
        `Size: ${content.length}`,
        `SHA256: ${hash('sha256', content)}`,
      ]
      return `${built.control}\n${facts.join('\n')}\n`
    })
    .join('\n')

function releaseFile(suite: string, indices: ReadonlyMap<string, Buffer>, time: number): string {
  const sums = [...indices].map(
    ([path, content]) => ` ${hash('sha256', content)} ${content.length} ${path}\n`,
  )
  return `Origin: Gatehouse
Label: Gatehouse
Suite: ${suite}
Codename: ${suite}
Date: ${new Date(time * 1_000).toUTCString().replace('GMT', 'UTC')}
Architectures: ${Object.keys(architectures).join(' ')}
Components: main
Description: API gateway
SHA256:
${sums.join('')}`
}
