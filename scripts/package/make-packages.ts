import { mkdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { step } from '../terminal/progress.ts'
import { poolPath, writeAptRepository } from './apt-repository.ts'
import { type Architecture, architectures } from './architecture.ts'
import { makeBuild } from './build.ts'
import { type BuiltPackage, buildDebianPackage } from './debian-package.ts'
import { makeDiskImage } from './disk-image.ts'
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
  /** Also makes a disk image for amd64, which needs root and takes minutes. */
  readonly withDiskImage?: boolean
}

const suite = 'stable'

/** Makes everything that is shipped, from one build. Rejects with what went wrong, and where. */
export async function makePackages(options: PackageOptions): Promise<void> {
  const { folder, version, time, keyFile, repositoryUrl, only, withDiskImage = false } = options
  if (withDiskImage && only === 'arm64') throw new Error('a disk image is made for amd64 only')
  await rm(folder, { recursive: true, force: true })
  await mkdir(folder, { recursive: true })
  const build = await step('Bundle the programs, bring Node.js', () => makeBuild(version, time))
  const targets = only ? [only] : (Object.keys(architectures) as Architecture[])
  const packages = await withSigningKey(keyFile, async (key) => {
    const built: BuiltPackage[] = await step(`Debian packages for ${targets.join(' and ')}`, () =>
      Promise.all(
        [
          ...targets.map((architecture) => runtimePackage(build, architecture)),
          repositoryPackage({ url: repositoryUrl, suite }, key.publicKey, version, time),
        ].map((description) => buildDebianPackage(description, time)),
      ),
    )
    await step('apt repository, signed', () =>
      writeAptRepository(join(folder, 'apt'), suite, built, key, time),
    )
    return built
  })
  await step(`OCI image for ${targets.join(' and ')}`, () => writeImage(folder, build, targets))
  if (withDiskImage) {
    const runtime = packages.find(({ architecture }) => architecture === 'amd64')!
    const path = join(folder, `gateway-${version}-amd64.raw`)
    await step('Disk image for amd64', () =>
      makeDiskImage({ path, package: join(folder, 'apt', poolPath(runtime)), version, time }),
    )
  }
  await step('Bill of materials, provenance, sums', () => writeEvidence(folder, build))
}
