import { execFile } from 'node:child_process'
import { readdir, stat } from 'node:fs/promises'
import { join, relative } from 'node:path'
import { parseArgs, promisify } from 'node:util'
import { version } from '../gateway-runtime/src/version.ts'
import { type Architecture, architectures } from './package/architecture.ts'
import { makePackages } from './package/make-packages.ts'
import { defaultKeyFile } from './package/signing-key.ts'
import { root } from './process/tool.ts'
import { seconds } from './terminal/progress.ts'
import { table } from './terminal/table.ts'

const help = `Makes what operators install, from one build: Debian packages in a signed apt repository.

Usage: npm run package -- [options]

  --folder DIR       where everything is put                  (default: dist/packages)
  --architecture A   only amd64 or arm64                      (default: both)
  --disk-image       also a raw disk image for amd64 with cloud-init: needs root, takes minutes
  --repository URL   where the folder apt is going to be served
                     (default: https://packages.example.com/debian)
  --signing-key FILE secret key of the repository, made where there is none
                     (default: ${defaultKeyFile})

Equal sources, SOURCE_DATE_EPOCH (default: the time of the last commit) and key give equal bytes.
`

const { values } = parseArgs({
  options: {
    folder: { type: 'string', default: join(root, 'dist/packages') },
    architecture: { type: 'string' },
    'disk-image': { type: 'boolean', default: false },
    repository: { type: 'string', default: 'https://packages.example.com/debian' },
    'signing-key': { type: 'string', default: defaultKeyFile },
    help: { type: 'boolean' },
  },
})

/** Seconds since 1970. */
async function timeOfSources(): Promise<number> {
  const given = process.env.SOURCE_DATE_EPOCH
  const text =
    given ?? (await promisify(execFile)('git', ['log', '-1', '--format=%ct'], { cwd: root })).stdout.trim()
  if (!/^\d{1,11}$/.test(text)) throw new Error(`SOURCE_DATE_EPOCH: expected seconds since 1970, got ${text}`)
  return Number(text)
}

function architectureOf(name: string): Architecture {
  if (name in architectures) return name as Architecture
  throw new Error(`--architecture: expected ${Object.keys(architectures).join(' or ')}, got ${name}`)
}

async function listFiles(folder: string): Promise<string> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true })
  const rows = await Promise.all(
    entries
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name))
      .sort()
      .map(async (path) => [relative('.', path), `${((await stat(path)).size / 1_048_576).toFixed(2)} MiB`]),
  )
  return table(['file', 'size'], rows)
}

try {
  if (values.help) process.stdout.write(help)
  else {
    const began = performance.now()
    await makePackages({
      folder: values.folder,
      version,
      time: await timeOfSources(),
      repositoryUrl: values.repository,
      keyFile: values['signing-key'],
      withDiskImage: values['disk-image'],
      ...(values.architecture === undefined ? {} : { only: architectureOf(values.architecture) }),
    })
    const time = seconds(performance.now() - began)
    process.stdout.write(`${await listFiles(values.folder)}\n  Packaged in ${time}.\n`)
  }
} catch (error) {
  process.stderr.write(`Packaging failed: ${error instanceof Error ? error.message : error}\n`)
  process.exitCode = 1
}
