import { once } from 'node:events'
import { createReadStream } from 'node:fs'
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { distribution } from '../build/bundle.ts'
import { freePorts } from '../process/free-port.ts'
import { startGatewayProcess } from '../process/gateway.ts'
import type { Program } from '../process/program.ts'
import { developmentAuthority, ensureServerCertificate } from '../start/development-certificates.ts'
import { type CertificateFiles, configurationText, type Ports, upstreamPlans } from './layout.ts'

/** The samples of a scrape by their name with its labels, as they stand there. */
export type Metrics = ReadonlyMap<string, number>

/** The gateway as it is built, in a folder of its own. */
export class GatewayUnderLoad {
  readonly process: Program
  readonly ports: Ports
  /** Authority of its certificate, as PEM. */
  readonly ca: string
  readonly #directory: string
  readonly #certificate: CertificateFiles

  private constructor(
    process: Program,
    ports: Ports,
    ca: string,
    directory: string,
    certificate: CertificateFiles,
  ) {
    this.process = process
    this.ports = ports
    this.ca = ca
    this.#directory = directory
    this.#certificate = certificate
  }

  /** Starts it with generation 0 of the configuration, and waits until it is ready. */
  static async start(directory: string): Promise<GatewayUnderLoad> {
    const authority = await developmentAuthority(join(directory, 'certificates'))
    const certificate = {
      certificate: join(directory, 'certificates/server.crt'),
      key: join(directory, 'certificates/server.key'),
    }
    await ensureServerCertificate(certificate, authority)
    const ports = await choosePorts()
    const configDirectory = join(directory, 'config')
    await mkdir(configDirectory)
    await writeFile(join(configDirectory, 'config.yaml'), configurationText(ports, certificate, 0))
    const process = await startGatewayProcess({
      command: [
        join(distribution, 'node'),
        `--inspect=127.0.0.1:${ports.inspector}`,
        join(distribution, 'gateway.mjs'),
      ],
      configDirectory,
      stateDirectory: join(directory, 'state'),
      statusPort: ports.status,
      limit: 60_000,
    })
    const ca = await readFile(authority.certificate, 'utf8')
    return new GatewayUnderLoad(process, ports, ca, directory, certificate)
  }

  /** Puts a generation of the configuration in the place of the one before, as a whole. */
  async configure(generation: number): Promise<void> {
    const file = join(this.#directory, 'config/config.yaml')
    await writeFile(`${file}.new`, configurationText(this.ports, this.#certificate, generation))
    await rename(`${file}.new`, file)
  }

  async metrics(): Promise<Metrics> {
    const response = await fetch(`http://127.0.0.1:${this.ports.status}/metrics`, {
      signal: AbortSignal.timeout(10_000),
    })
    const lines = (await response.text()).split('\n').filter((line) => line !== '' && !line.startsWith('#'))
    return new Map(
      lines.map((line) => {
        const end = line.lastIndexOf(' ')
        return [line.slice(0, end), Number(line.slice(end + 1))]
      }),
    )
  }

  get logDirectory(): string {
    return join(this.#directory, 'config/logs')
  }

  async accessLogLines(): Promise<number> {
    let lines = 0
    const file = createReadStream(join(this.logDirectory, 'access.log'), { highWaterMark: 1_048_576 })
    file.on('data', (chunk) => {
      for (let at = chunk.indexOf('\n'); at >= 0; at = chunk.indexOf('\n', at + 1)) lines++
    })
    await once(file, 'close')
    return lines
  }
}

async function choosePorts(): Promise<Ports> {
  const [plain, both, secure, admin, status, inspector, ...upstreams] = (await freePorts(
    6 + upstreamPlans.length,
  )) as [number, number, number, number, number, number, ...number[]]
  const named = upstreamPlans.map(({ name }, index) => [name, upstreams[index]!] as const)
  return { plain, both, secure, admin, status, inspector, upstreams: new Map(named) }
}
