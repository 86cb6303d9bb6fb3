import { file } from './archive.ts'
import { changelog, copyright } from './debian-documents.ts'
import type { DebianPackage } from './debian-package.ts'

const name = 'gateway-package-repo'
const keyring = 'usr/share/keyrings/gateway-archive-keyring.gpg'
const source = 'etc/apt/sources.list.d/gateway-package-repo.sources'

export interface RepositoryAddress {
  /** Where the folder `apt` is served: `https://packages.example.com/debian`. */
  readonly url: string
  readonly suite: string
}

/** The package that tells apt of the repository, and which key its packages must be signed with. */
export const repositoryPackage = (
  { url, suite }: RepositoryAddress,
  publicKey: Buffer,
  version: string,
  time: number,
): DebianPackage => ({
  name,
  version,
  architecture: 'all',
  depends: '',
  summary: 'apt repository of the API gateway',
  description: [
    'Holds the list entry of the repository that gateway-runtime is installed and\nupgraded from, and the key that it is signed with.',
  ],
  entries: [
    file(source, `Types: deb\nURIs: ${url}\nSuites: ${suite}\nComponents: main\nSigned-By: /${keyring}\n`),
    file(keyring, publicKey),
    file(
      `usr/share/lintian/overrides/${name}`,
      `# It is what this package is for.\n${name}: package-installs-apt-sources *\n`,
    ),
    copyright(name),
    changelog(name, version, time),
  ],
  configurationFiles: [source],
})
