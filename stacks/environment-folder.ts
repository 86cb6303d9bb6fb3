import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import {
  ConfigurationError,
  compile,
  loadConfiguration,
  parseYamlFile,
  readFolder,
} from '@gatehouse/gateway-runtime/config'
import type { AptRepository } from '../constructs/index.ts'
import { checkConfiguration } from './configuration-checks.ts'
import { type Environment, environmentSchema } from './environment.ts'
import { withEdges, withRedis } from './hosts-configuration.ts'

/** A folder below stacks/environments, read and checked. */
export interface EnvironmentFolder<Target extends Environment = Environment> {
  /** Name of the folder; also the name of the stack. */
  readonly name: string
  /** environment.yaml. */
  readonly environment: Target
  /** Every other YAML file by name, as people wrote it, and what hosts add: the configuration of the gateway. */
  readonly files: Readonly<Record<string, string>>
  /** TCP ports of its listeners. */
  readonly ingressPorts: readonly number[]
  /** TCP port of /readyz and /metrics. */
  readonly statusPort: number
  /** Where hosts install the gateway from, with the key that environment.yaml names. */
  readonly aptRepository: AptRepository | undefined
}

const environmentFile = 'environment.yaml'

/** Names of the environments in a folder: every folder in it that holds an environment.yaml. */
export const environmentNames = (directory: string): string[] =>
  readdirSync(directory, { withFileTypes: true })
    .filter(
      (entry) => entry.isDirectory() && readdirSync(join(directory, entry.name)).includes(environmentFile),
    )
    .map((entry) => entry.name)
    .sort()

/**
 * Reads an environment, and compiles its configuration just as a node will: what a node would refuse is refused here.
 * @throws ConfigurationError with all that is wrong, by file, line and column
 */
export function readEnvironment(directory: string, name: string): EnvironmentFolder {
  const folder = join(directory, name)
  const environment = parseYamlFile(join(folder, environmentFile), environmentSchema)
  const own = readFolder(folder)
  const files = environment.target === 'hosts' ? withEdges(own, environment) : own
  const contents = environment.target === 'hosts' ? withRedis(files, environment) : files
  const { configuration } = withFolder(folder, () => loadConfiguration(folder, { contents }))
  withFolder(folder, () => compile(configuration))
  const environmentText = readFileSync(join(folder, environmentFile), 'utf8')
  checkConfiguration(folder, { environment, configuration }, { environmentText, files: own })
  return {
    name,
    environment,
    files: Object.fromEntries(files),
    ingressPorts: configuration.listeners.map(({ port }) => port),
    statusPort: configuration.status.port,
    aptRepository: readRepository(folder, environment),
  }
}

/** Several folders are read at once: an error names the file with its folder. */
function withFolder<Result>(folder: string, run: () => Result): Result {
  try {
    return run()
  } catch (error) {
    if (!(error instanceof ConfigurationError)) throw error
    throw new ConfigurationError(
      error.problems.map((problem) => ({ ...problem, file: join(folder, problem.file) })),
    )
  }
}

function readRepository(folder: string, environment: Environment): AptRepository | undefined {
  if (environment.target === 'local' || !environment.apt_repository) return undefined
  const { url, suite, component, version, signing_key: keyFile } = environment.apt_repository
  try {
    const signingKey = readFileSync(join(folder, keyFile), 'utf8')
    return { url, suite, component, signingKey, ...(version !== undefined && { version }) }
  } catch (error) {
    const path = 'apt_repository.signing_key'
    const message = `${path}: ${keyFile} cannot be read: ${(error as NodeJS.ErrnoException).code}`
    throw new ConfigurationError([{ file: join(folder, environmentFile), line: 0, column: 0, path, message }])
  }
}
