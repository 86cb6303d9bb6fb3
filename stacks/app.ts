import { mkdirSync } from 'node:fs'
import { join, relative } from 'node:path'
import { App, type TerraformStack } from 'cdktf'
import { AwsStack, regionCount } from './aws-stack.ts'
import type { AwsEnvironment, HostsEnvironment, LocalEnvironment } from './environment.ts'
import { type EnvironmentFolder, environmentNames, readEnvironment } from './environment-folder.ts'
import { HostsStack } from './hosts-stack.ts'
import { LocalStack } from './local-stack.ts'

/** The folder that holds a folder for each environment. */
export const environmentsDirectory = join(import.meta.dirname, 'environments')

export interface GatehouseAppProps {
  /**
   * Folder with a folder for each environment.
   * @default stacks/environments
   */
  readonly environments?: string
  /**
   * Environments to build, by name.
   * @default all
   */
  readonly names?: readonly string[]
  /**
   * Folder that `synth` writes to.
   * @default what cdktf says, else cdktf.out
   */
  readonly outdir?: string
}

/**
 * One stack an environment, each named as its folder; on AWS, one more for each further region.
 * @throws Error that names file, line and column when a file of an environment is wrong, or that an environment is
 * unknown and which there are
 */
export class GatehouseApp extends App {
  readonly environments: readonly { readonly folder: EnvironmentFolder; readonly stack: TerraformStack }[]

  constructor({ environments = environmentsDirectory, names, outdir }: GatehouseAppProps = {}) {
    if (outdir) mkdirSync(outdir, { recursive: true })
    super({ stackTraces: false, ...(outdir && { outdir }) })
    const known = environmentNames(environments)
    const unknown = names?.find((name) => !known.includes(name))
    if (unknown !== undefined) {
      throw new Error(`no environment is called ${JSON.stringify(unknown)}; there are: ${known.join(', ')}`)
    }
    this.environments = known
      .filter((name) => names?.includes(name) ?? true)
      .map((name) => readEnvironment(shownPath(environments), name))
      .flatMap((folder) => createStacks(this, folder).map((stack) => ({ folder, stack })))
  }

  /** cdktf 0.21 calls the deprecated util.isArray for every output, of which users can do nothing. */
  override synth(): void {
    const { noDeprecation } = process
    process.noDeprecation = true
    try {
      super.synth()
    } finally {
      process.noDeprecation = noDeprecation ?? false
    }
  }
}

/** Short, and a link in terminals, where it is below the working directory. */
function shownPath(directory: string): string {
  const path = relative('.', directory)
  return path === '' || path.startsWith('..') ? directory : path
}

function createStacks(app: App, folder: EnvironmentFolder): TerraformStack[] {
  const { environment } = folder
  switch (environment.target) {
    case 'aws':
      return Array.from(
        { length: regionCount(environment) },
        (_, index) => new AwsStack(app, folder as EnvironmentFolder<AwsEnvironment>, index),
      )
    case 'hosts':
      return [new HostsStack(app, folder as EnvironmentFolder<HostsEnvironment>)]
    case 'local':
      return [new LocalStack(app, folder as EnvironmentFolder<LocalEnvironment>)]
  }
}
