import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { configurationSchema } from '@gatehouse/gateway-runtime/config'
import { parse } from 'yaml'
import type { AptRepository } from '../constructs/index.ts'
import { type Environment, environmentSchema } from './environment.ts'

/** A folder below stacks/environments, read and checked. */
export interface EnvironmentFolder<Target extends Environment = Environment> {
  /** Name of the folder; also the name of the stack. */
  readonly name: string
  /** environment.yaml. */
  readonly environment: Target
  /** Every other YAML file by name, as people wrote it: the configuration of the gateway. */
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

/** TEMPORARY */
export function readEnvironment(directory: string, name: string): EnvironmentFolder {
  const folder = join(directory, name)
  const files = Object.fromEntries(
    readdirSync(folder)
      .filter((file) => /\.ya?ml$/.test(file) && file !== environmentFile)
      .map((file) => [file, readFileSync(join(folder, file), 'utf8')]),
  )
  const environment = environmentSchema.parse(parse(readFileSync(join(folder, environmentFile), 'utf8')))
  const configuration = configurationSchema.parse(
    Object.assign({}, ...Object.values(files).map((text) => parse(text))),
  )
  return {
    name,
    environment,
    files,
    ingressPorts: configuration.listeners.map(({ port }) => port),
    statusPort: configuration.status.port,
    aptRepository: readRepository(folder, environment),
  }
}

function readRepository(folder: string, environment: Environment): AptRepository | undefined {
  if (environment.target === 'local' || !environment.apt_repository) return undefined
  const { url, suite, component, signing_key } = environment.apt_repository
  return { url, suite, component, signingKey: readFileSync(join(folder, signing_key), 'utf8') }
}
