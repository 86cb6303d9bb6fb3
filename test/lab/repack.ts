import { execFile } from 'node:child_process'
import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import type { LabDeployment } from '../../scripts/lab/deploy.ts'
import { writeAptRepository } from '../../scripts/package/apt-repository.ts'
import { withSigningKey } from '../../scripts/package/signing-key.ts'

const run = promisify(execFile)

/**
 * Puts the gateway's package into the repository of a lab once more, under another version.
 * @param isBroken - whether the gateway of that version ends as soon as it is started
 */
export async function publishAgain({ lab }: LabDeployment, version: string, isBroken = false): Promise<void> {
  const pool = join(lab.folder, 'packages/apt/pool/main/g/gateway-runtime')
  const [newest] = (await readdir(pool)).sort()
  const work = join(lab.folder, 'repacked')
  const folder = join(work, 'content')
  await rm(work, { recursive: true, force: true })
  await mkdir(work)
  await run('dpkg-deb', ['--raw-extract', join(pool, newest!), folder])
  const controlFile = join(folder, 'DEBIAN/control')
  const control = (await readFile(controlFile, 'utf8')).replace(/^Version: .*$/m, `Version: ${version}`)
  await writeFile(controlFile, control)
  if (isBroken) await writeFile(join(folder, 'usr/lib/gateway/gateway.mjs'), 'process.exit(1)\n')
  await rm(join(folder, 'DEBIAN/md5sums'), { force: true })
  const architecture = process.arch === 'arm64' ? 'arm64' : 'amd64'
  const fileName = `gateway-runtime_${version}_${architecture}.deb`
  const path = join(work, fileName)
  await run('dpkg-deb', ['-Zgzip', '-z1', '--root-owner-group', '--build', folder, path])
  const content = await readFile(path)
  const built = { name: 'gateway-runtime', architecture, fileName, content, control: control.trim() }
  const time = Math.floor(Date.now() / 1_000)
  await withSigningKey(join(lab.folder, 'archive-signing-key.asc'), (key) =>
    writeAptRepository(join(lab.folder, 'packages/apt'), 'stable', [built], key, time),
  )
}
