import { createHash } from 'node:crypto'
import { mkdir, readdir, readFile, rename, writeFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { configurationSchema } from '@gatehouse/gateway-runtime/config'
import { type Document, isMap, isScalar, isSeq, parse, parseDocument, type YAMLMap } from 'yaml'
import { type CertificateFiles, ensureServerCertificate } from './development-certificates.ts'

export interface LocalService {
  readonly name: string
  readonly port: number
}

/** What listens where, as the files of a folder say. */
export interface LocalLayout {
  readonly listeners: readonly { readonly port: number; readonly protocol: 'http' | 'https' }[]
  readonly adminPort: number
  readonly statusPort: number
  readonly logDirectory: string
  /** Names of the routes. */
  readonly routes: readonly string[]
  /** Services on this machine, which `npm start` brings. */
  readonly services: readonly LocalService[]
}

export interface LocalFolder {
  readonly directory: string
  /** Where the gateway and gateway-cli look for state when they are told nothing but the configuration folder. */
  readonly stateDirectory: string
  readonly layout: LocalLayout
  /** new: made now. kept: as it was. renewed: the environment changed; what was changed here is in *.yaml.old. */
  readonly origin: 'new' | 'kept' | 'renewed'
}

export interface LocalFolderOptions {
  /** The folder of the environment: config.yaml, services.yaml and more; environment.yaml is left out. */
  readonly environment: string
  /** Where the gateway will find its configuration. */
  readonly directory: string
  /** Added to every port of this machine. */
  readonly portOffset: number
  readonly authority: CertificateFiles
}

/**
 * Makes the configuration folder that the local gateway runs on, with a server certificate. What is there already
 * is kept, with all changes that a person made, until a file of the environment changes; then the folder is made
 * anew, and the files that were there stay as `NAME.yaml.old`.
 */
export async function prepareLocalFolder(options: LocalFolderOptions): Promise<LocalFolder> {
  const { directory } = options
  const files = await readYamlFiles(options.environment)
  const origin = await writeFolder(directory, files, options.portOffset)
  await ensureServerCertificate(
    { certificate: join(directory, 'tls/server.crt'), key: join(directory, 'tls/server.key') },
    options.authority,
  )
  const layout = readLayout(directory, await readYamlFiles(directory))
  return { directory, stateDirectory: join(directory, '.state'), layout, origin }
}

type YamlFiles = ReadonlyMap<string, string>

async function readYamlFiles(directory: string): Promise<YamlFiles> {
  const names = (await readdir(directory)).filter((name) => name.endsWith('.yaml')).sort()
  const texts = await Promise.all(names.map((name) => readFile(join(directory, name), 'utf8')))
  return new Map(
    names
      .map((name, index) => [name, texts[index]!] as const)
      .filter(([name]) => name !== 'environment.yaml'),
  )
}

async function writeFolder(
  directory: string,
  files: YamlFiles,
  portOffset: number,
): Promise<LocalFolder['origin']> {
  const source = createHash('sha256')
    .update(JSON.stringify([portOffset, ...files]))
    .digest('hex')
  const sourceFile = join(directory, 'made-from.sha256')
  const madeFrom = await readFile(sourceFile, 'utf8').catch(() => undefined)
  if (madeFrom === source) return 'kept'

  await mkdir(directory, { recursive: true })
  const replaced = await readYamlFiles(directory)
  for (const name of replaced.keys()) await rename(join(directory, name), join(directory, `${name}.old`))
  for (const [name, text] of files) await writeFile(join(directory, name), movePorts(text, portOffset))
  await writeFile(sourceFile, source)
  return replaced.size > 0 ? 'renewed' : 'new'
}

/** Adds an offset to the ports of listeners, admin, status and the services of this machine; keeps comments. */
export function movePorts(text: string, offset: number): string {
  if (offset === 0) return text
  const document = parseDocument(text)
  for (const section of ['admin', 'status']) addToPort(document.get(section), offset)
  for (const listener of itemsOf(document, 'listeners')) addToPort(listener, offset)
  for (const service of itemsOf(document, 'services')) {
    const url = new URL(String(service.get('url')))
    if (!isLocal(url)) continue
    url.port = String(Number(url.port || 80) + offset)
    service.set('url', url.href.replace(/\/$/, ''))
  }
  return document.toString({ lineWidth: 0 })
}

function itemsOf(document: Document, key: string): YAMLMap[] {
  const sequence = document.get(key)
  return isSeq(sequence) ? sequence.items.filter((item) => isMap(item)) : []
}

function addToPort(node: unknown, offset: number): void {
  if (!isMap(node)) return
  const port = node.get('port', true)
  if (isScalar(port)) port.value = Number(port.value) + offset
}

const isLocal = (url: URL) => ['127.0.0.1', 'localhost'].includes(url.hostname)

function readLayout(directory: string, files: YamlFiles): LocalLayout {
  const merged = Object.assign({}, ...[...files.values()].map((text) => parse(text) ?? {}))
  const configuration = configurationSchema.parse(merged)
  return {
    listeners: configuration.listeners,
    adminPort: configuration.admin.port,
    statusPort: configuration.status.port,
    logDirectory: resolve(directory, configuration.logs.directory),
    routes: configuration.routes.map(({ name }) => name),
    services: configuration.services.flatMap(({ name, url }) => {
      const address = url === undefined ? undefined : new URL(url)
      return address && isLocal(address) ? [{ name, port: Number(address.port || 80) }] : []
    }),
  }
}
