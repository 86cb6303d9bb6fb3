import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { readdir, readFile, writeFile } from 'node:fs/promises'
import { join, relative } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { nativePackageNames } from '../build/native-packages.ts'
import { root } from '../process/tool.ts'
import type { Build } from './build.ts'

const sha256 = (content: Buffer | string) => createHash('sha256').update(content).digest('hex')

interface Component {
  readonly name: string
  readonly version: string
  readonly license: string | undefined
}

/** The registry packages of which a file was bundled or stands beside the bundles, by name and version. */
async function bundledComponents({ sources }: Build): Promise<Component[]> {
  const folders = new Set([
    ...sources.flatMap((path) => /^(.*node_modules\/(?:@[^/]+\/)?[^/]+)\//.exec(path)?.[1] ?? []),
    ...nativePackageNames.map((name) => `node_modules/${name}`),
  ])
  const components = await Promise.all([...folders].map(componentOf))
  const byId = new Map(components.map((component) => [`${component.name}@${component.version}`, component]))
  return [...byId].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, component]) => component)
}

async function componentOf(folder: string): Promise<Component> {
  const { name, version, license } = JSON.parse(await readFile(join(root, folder, 'package.json'), 'utf8'))
  return { name, version, license: typeof license === 'string' ? license : undefined }
}

const packageUrl = ({ name, version }: Component) => `pkg:npm/${name.replace('@', '%40')}@${version}`

/**
 * What is in the programs, as CycloneDX 1.6: the modules that were bundled, and Node.js. No serial number and no time
 * of the build: equal sources give equal bytes.
 */
export async function softwareBillOfMaterials(build: Build): Promise<string> {
  const modules = (await bundledComponents(build)).map((component) => ({
    type: 'library',
    'bom-ref': packageUrl(component),
    name: component.name,
    version: component.version,
    purl: packageUrl(component),
    ...(component.license && { licenses: [{ expression: component.license }] }),
  }))
  const node = process.versions.node
  const nodeComponent = {
    type: 'platform',
    'bom-ref': `pkg:generic/node@${node}`,
    name: 'node',
    version: node,
    purl: `pkg:generic/node@${node}`,
    hashes: Object.values(build.node).map(({ binary }) => ({ alg: 'SHA-256', content: sha256(binary) })),
  }
  const own = `pkg:generic/gateway-runtime@${build.version}`
  const components = [nodeComponent, ...modules]
  const document = {
    bomFormat: 'CycloneDX',
    specVersion: '1.6',
    version: 1,
    metadata: {
      timestamp: new Date(build.time * 1_000).toISOString(),
      component: {
        type: 'application',
        'bom-ref': own,
        name: 'gateway-runtime',
        version: build.version,
        purl: own,
      },
    },
    components,
    dependencies: [{ ref: own, dependsOn: components.map((component) => component['bom-ref']) }],
  }
  return `${JSON.stringify(document, null, 2)}\n`
}

/**
 * How the files came to be, as an in-toto statement with a SLSA provenance predicate (slsa.dev/spec/v1.0): the sources
 * by their hashes, the lockfile, the versions of the tools.
 * @param subjects - SHA-256 of what was made, by path
 */
async function provenanceStatement(build: Build, subjects: ReadonlyMap<string, string>): Promise<string> {
  const own = build.sources.filter((path) => !path.includes('node_modules')).sort()
  const hashes = await Promise.all(
    [...own, 'package-lock.json'].map(async (path) => ({
      uri: `file:${path}`,
      digest: { sha256: sha256(await readFile(join(root, path))) },
    })),
  )
  const esbuild = JSON.parse(await readFile(join(root, 'node_modules/esbuild/package.json'), 'utf8')).version
  const statement = {
    _type: 'https://in-toto.io/Statement/v1',
    subject: [...subjects].map(([name, hash]) => ({ name, digest: { sha256: hash } })),
    predicateType: 'https://slsa.dev/provenance/v1',
    predicate: {
      buildDefinition: {
        buildType: 'npm run package',
        externalParameters: { version: build.version, SOURCE_DATE_EPOCH: build.time },
        resolvedDependencies: hashes,
      },
      runDetails: {
        builder: { id: 'scripts/package.ts', version: { node: process.versions.node, esbuild } },
      },
    },
  }
  return `${JSON.stringify(statement, null, 2)}\n`
}

/** Writes the bill of materials, the provenance, and SHA256SUMS (for `sha256sum --check`) of all in a folder. */
export async function writeEvidence(folder: string, build: Build): Promise<void> {
  await writeFile(join(folder, 'sbom.cdx.json'), await softwareBillOfMaterials(build))
  await writeFile(join(folder, 'provenance.json'), await provenanceStatement(build, await sumsOf(folder)))
  const sums = await sumsOf(folder)
  await writeFile(join(folder, 'SHA256SUMS'), [...sums].map(([path, sum]) => `${sum}  ${path}\n`).join(''))
}

async function sumsOf(folder: string): Promise<Map<string, string>> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true })
  const paths = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name))
  const sums = new Map<string, string>()
  for (const path of paths.sort()) {
    const hash = createHash('sha256')
    await pipeline(createReadStream(path), hash) // a disk image is larger than what fits into memory
    sums.set(relative(folder, path), hash.digest('hex'))
  }
  return sums
}
