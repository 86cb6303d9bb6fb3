import { createHash } from 'node:crypto'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { gzip } from 'node:zlib'
import { adminPort, adminTlsPort, statusPort } from '../../constructs/host-bootstrap/description.ts'
import { serviceNodeArguments } from '../build/bundle.ts'
import type { Architecture } from './architecture.ts'
import { directory, type Entry, file, tar } from './archive.ts'
import type { Build } from './build.ts'
import { systemLibraries } from './system-libraries.ts'

const compress = promisify(gzip)
const sha256 = (content: Buffer) => `sha256:${createHash('sha256').update(content).digest('hex')}`
const user = 65_532

interface Blob {
  readonly mediaType: string
  readonly digest: string
  readonly size: number
}

/** The blobs of an image layout: content → its descriptor; equal content is kept once. */
class Blobs {
  readonly entries = new Map<string, Buffer>()

  add(mediaType: string, content: Buffer): Blob {
    const digest = sha256(content)
    this.entries.set(`blobs/sha256/${digest.slice(7)}`, content)
    return { mediaType, digest, size: content.length }
  }

  addJson(mediaType: string, value: object): Blob {
    return this.add(mediaType, Buffer.from(JSON.stringify(value)))
  }
}

const healthCheck = `const { port = ${statusPort} } = { port: process.env.GATEWAY_STATUS_PORT }
fetch(\`http://127.0.0.1:\${port}/readyz\`, { signal: AbortSignal.timeout(2_000) }).then(
  ({ ok }) => process.exit(ok ? 0 : 1),
  () => process.exit(1),
)
`

/** Ports above 1024: an image that needs no capability. Logs go to a folder that the container gives, and stay bounded. */
const configuration = `listeners:
  - { port: 8080, protocol: http }
admin: { host: 127.0.0.1 }
logs: { rotate_bytes: 268435456 }
services: []
`

// From what seldom changes to what changes with every version: a registry and a host keep what they have.
const layersOf = async (build: Build, architecture: Architecture): Promise<Entry[][]> => [
  [
    ...(await systemLibraries(architecture)),
    file('etc/passwd', `root:x:0:0::/:/sbin/nologin\ngateway:x:${user}:${user}::/:/sbin/nologin\n`),
    file('etc/group', `root:x:0:\ngateway:x:${user}:\n`),
    file('etc/nsswitch.conf', 'hosts: files dns\n'),
    directory('tmp', 0o1777),
    directory('var/lib/gateway', 0o1777),
    directory('var/log/gateway', 0o1777),
  ],
  [file('usr/lib/gateway/node', build.node[architecture].binary, 0o755)],
  [
    ...build.native[architecture].map(({ path, content }) => file(`usr/lib/gateway/${path}`, content)),
    ...build.bundle.map(({ name, content }) => file(`usr/lib/gateway/${name}`, content)),
    file('usr/lib/gateway/health-check.mjs', healthCheck),
    file('etc/gateway/config.yaml', configuration),
  ],
]

async function addManifest(blobs: Blobs, build: Build, architecture: Architecture): Promise<object> {
  const layers: Blob[] = []
  const contents: string[] = []
  for (const entries of await layersOf(build, architecture)) {
    const layer = tar(entries, build.time)
    const packed = await compress(layer, { level: 6 })
    packed[9] = 255 // the operating system it was packed on: must not change the bytes
    contents.push(sha256(layer))
    layers.push(blobs.add('application/vnd.oci.image.layer.v1.tar+gzip', packed))
  }
  const created = new Date(build.time * 1_000).toISOString()
  const node = '/usr/lib/gateway/node'
  const config = blobs.addJson('application/vnd.oci.image.config.v1+json', {
    created,
    architecture,
    os: 'linux',
    config: {
      User: `${user}:${user}`,
      Entrypoint: [node, ...serviceNodeArguments, '/usr/lib/gateway/gateway.mjs'],
      Cmd: ['--config', '/etc/gateway'],
      Env: [
        'PATH=/usr/lib/gateway',
        'STATE_DIRECTORY=/var/lib/gateway',
        'SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt',
      ],
      ExposedPorts: Object.fromEntries(
        [8080, 8443, adminPort, adminTlsPort, statusPort].map((port) => [`${port}/tcp`, {}]),
      ),
      Volumes: { '/var/lib/gateway': {}, '/var/log/gateway': {} },
      WorkingDir: '/',
      Labels: labels(build.version, created),
      Healthcheck: {
        Test: ['CMD', node, '/usr/lib/gateway/health-check.mjs'],
        Interval: 10e9,
        Timeout: 3e9,
        Retries: 3,
      },
      StopSignal: 'SIGTERM',
    },
    rootfs: { type: 'layers', diff_ids: contents },
    history: layers.map(() => ({ created, created_by: 'npm run package' })),
  })
  const mediaType = 'application/vnd.oci.image.manifest.v1+json'
  const manifest = blobs.addJson(mediaType, { schemaVersion: 2, mediaType, config, layers })
  return {
    ...manifest,
    platform: { architecture, os: 'linux' },
    annotations: { 'org.opencontainers.image.ref.name': build.version },
  }
}

const labels = (version: string, created: string) => ({
  'org.opencontainers.image.title': 'gateway',
  'org.opencontainers.image.description': 'API gateway',
  'org.opencontainers.image.version': version,
  'org.opencontainers.image.created': created,
  'org.opencontainers.image.licenses': 'Apache-2.0',
})

/**
 * Writes the image twice: as the folder `oci` (OCI image layout) and as the archive `gateway-VERSION.oci.tar`, each
 * for all the architectures. It holds Node.js, its libraries, the public authorities and the programs; no shell.
 */
export async function writeImage(
  folder: string,
  build: Build,
  targets: readonly Architecture[],
): Promise<void> {
  const blobs = new Blobs()
  const manifests: object[] = []
  for (const architecture of targets) manifests.push(await addManifest(blobs, build, architecture))
  const mediaType = 'application/vnd.oci.image.index.v1+json'
  blobs.entries.set('oci-layout', Buffer.from(JSON.stringify({ imageLayoutVersion: '1.0.0' })))
  blobs.entries.set('index.json', Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType, manifests })))
  const entries = [...blobs.entries].map(([path, content]) => file(path, content))
  await mkdir(join(folder, 'oci/blobs/sha256'), { recursive: true })
  for (const [path, content] of blobs.entries) await writeFile(join(folder, 'oci', path), content)
  await writeFile(join(folder, `gateway-${build.version}.oci.tar`), tar(entries, build.time))
}
