import { mkdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { step } from '../terminal/progress.ts'
import { writeAptRepository } from './apt-repository.ts'
import { type Architecture, architectures } from './architecture.ts'
import { makeBuild } from './build.ts'
import { type BuiltPackage, buildDebianPackage } from './debian-package.ts'
import { writeImage } from './oci-image.ts'
import { writeEvidence } from './provenance.ts'
import { repositoryPackage } from './repository-package.ts'
import { runtimePackage } from './runtime-package.ts'
import { withSigningKey } from './signing-key.ts'

export interface PackageOptions {
  /** Folder for all that is made; what it held before is deleted. */
  readonly folder: string
  readonly version: string
  /** Time of all files, in seconds since 1970. */
  readonly time: number
  /** Where the apt repository is going to be served. */
  readonly repositoryUrl: string
  /** Secret key of the apt repository; made where there is none. */
  readonly keyFile: string
  /** @default both */
  readonly only?: Architecture
}

const suite = 'stable'

/** Makes everything that is shipped, from one build. Rejects with what went wrong, and where. */
export async function makePackages(options: PackageOptions): Promise<void> {
  const { folder, version, time, keyFile, repositoryUrl, only } = options
  await rm(folder, { recursive: true, force: true })
  await mkdir(folder, { recursive: true })
  const build = await step('Bundle the programs, bring Node.js', () => makeBuild(version, time))
  const targets = only ? [only] : (Object.keys(architectures) as Architecture[])
  await withSigningKey(keyFile, async (key) => {
    const packages: BuiltPackage[] = await step(`Debian packages for ${targets.join(' and ')}`, () =>
      Promise.all(
        [
          ...targets.map((architecture) => runtimePackage(build, architecture)),
          repositoryPackage({ url: repositoryUrl, suite }, key.publicKey, version, time),
        ].map((description) => buildDebianPackage(description, time)),
      ),
    )
    await step('apt repository, signed', () =>
      writeAptRepository(join(folder, 'apt'), suite, packages, key, time),
    )
  })
  await step(`OCI image for ${targets.join(' and ')}`, () => writeImage(folder, build, targets))
  await step('Bill of materials, provenance, sums', () => writeEvidence(folder, build))
}
