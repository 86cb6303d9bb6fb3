import { createHash } from 'node:crypto'
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import {
  type Configuration,
  ConfigurationError,
  type FolderContents,
  loadConfiguration,
  readFolder,
} from '@gatehouse/gateway-runtime/config'
import { type Document, isMap, isScalar, isSeq, parseDocument, type YAMLMap } from 'yaml'
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
  /** The folder of the environment: config.yaml, services.yaml and more. */
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
  const origin = await writeFolder(directory, readFolder(options.environment), options.portOffset)
  await ensureServerCertificate(
    { certificate: join(directory, 'tls/server.crt'), key: join(directory, 'tls/server.key') },
    options.authority,
  )
  const layout = readLayout(directory)
  return { directory, stateDirectory: join(directory, '.state'), layout, origin }
}

async function writeFolder(
  directory: string,
  files: FolderContents,
  portOffset: number,
): Promise<LocalFolder['origin']> {
  const source = createHash('sha256')
    .update(JSON.stringify([portOffset, ...files]))
    .digest('hex')
  const sourceFile = join(directory, 'made-from.sha256')
  const madeFrom = await readFile(sourceFile, 'utf8').catch(() => undefined)
  if (madeFrom === source) return 'kept'

  await mkdir(directory, { recursive: true })
  const replaced = madeFrom === undefined ? [] : [...readFolder(directory).keys()]
  for (const name of replaced) await rename(join(directory, name), join(directory, `${name}.old`))
  for (const [name, text] of files) await writeFile(join(directory, name), movePorts(text, portOffset))
  await writeFile(sourceFile, source)
  return replaced.length > 0 ? 'renewed' : 'new'
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

/** @throws Error with the problems of the folder, and how to begin anew */
function readLayout(directory: string): LocalLayout {
  const { listeners, admin, status, logs, routes, services } = load(directory)
  return {
    listeners,
    adminPort: admin.port,
    statusPort: status.port,
    logDirectory: logs.directory,
    routes: routes.map(({ name }) => name),
    services: services.flatMap(({ name, url }) => {
      const address = url === undefined ? undefined : new URL(url)
      return address && isLocal(address) ? [{ name, port: Number(address.port || 80) }] : []
    }),
  }
}

function load(directory: string): Configuration {
  try {
    return loadConfiguration(directory).configuration
  } catch (error) {
    if (!(error instanceof ConfigurationError)) throw error
    throw new Error(
      `The configuration in ${directory} has problems:\n${error.message}\nMend it, or delete the folder to begin anew.`,
      { cause: error },
    )
  }
}
