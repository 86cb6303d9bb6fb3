import { randomBytes } from 'node:crypto'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { step } from '../terminal/progress.ts'
import {
  defaultConfiguration,
  type LabSettings,
  layouts,
  virtualIpsOf,
  writeEnvironment,
} from './environment.ts'
import { containerOf } from './host.ts'
import { removeLab, startLab } from './lab.ts'
import { type LabRecord, readRecord } from './record.ts'
import { type Repository, serveRepository } from './repository.ts'
import { type TerraformRun, terraform, writeStack } from './terraform.ts'

export interface DeploymentOptions {
  /** Tells labs apart: lower-case letters, digits and "-". */
  readonly name: string
  /** Whether the lab ends with this process. */
  readonly isOwned: boolean
  /**
   * Hosts to boot, 1 to 32: with more than have roles, some can join later.
   * @default as many as have roles
   */
  readonly hosts?: number
  /** What is deployed at first, or tells it by what the lab has become; what is left out is as in `defaultSettings`. */
  readonly settings?: Partial<LabSettings> | ((lab: LabRecord) => Promise<Partial<LabSettings>>)
}

export const defaultSettings: LabSettings = {
  roles: layouts.one,
  virtualIps: 1,
  version: '1.0.0',
  configuration: defaultConfiguration,
}

/** A lab, and what is deployed to it by Terraform as a person would. */
export interface LabDeployment {
  readonly lab: LabRecord
  /** What was deployed last. */
  readonly settings: LabSettings
  /** Addresses that clients use; port 80 and 443. */
  readonly virtualIps: readonly string[]
  /** Folder in which Terraform runs and keeps its state. */
  readonly folder: string
  /** Variables that Terraform is given, by name: what must show up nowhere. */
  readonly secrets: Readonly<Record<string, string>>
  /** Makes the packages of the version, where they are not there: what `apply` would do first. */
  publish(): Promise<void>
  /**
   * Publishes the version where it is new, changes settings, synthesizes and applies. A failed run resolves too: its
   * output says which host it is about.
   * @throws Error that names file, line and column when a file of the environment is wrong; nothing is changed then
   */
  apply(changes?: Partial<LabSettings>): Promise<TerraformRun>
  /** Runs Terraform on what was synthesized last: `['plan', '-no-color']`. */
  terraform(...args: string[]): Promise<TerraformRun>
  /** Takes what was deployed off the hosts, which stay up. */
  destroy(): Promise<TerraformRun>
  /** Ends the servers of this process; an owned lab is taken down. May be called again. */
  close(): Promise<void>
}

/** Name of the environment, and of its stack. */
const environment = 'lab'
const applying = ['apply', '-auto-approve', '-input=false', '-no-color']

/** A lab of this name whose hosts are up, such as one that an earlier run has deployed to. */
function runningLab(name: string): LabRecord | undefined {
  const lab = readRecord(name)
  return lab?.hosts.every((host) => containerOf(host) !== undefined) ? lab : undefined
}

/** A secret that later runs on the same lab find again. */
function keptSecret(file: string): string {
  if (!existsSync(file)) writeFileSync(file, randomBytes(32).toString('hex'), { mode: 0o600 })
  return readFileSync(file, 'utf8')
}

/** Boots a lab, or takes one of that name which is up, and makes ready what a deployment needs; nothing is deployed yet. */
export async function startDeployment(options: DeploymentOptions): Promise<LabDeployment> {
  const { name, isOwned, settings: wanted = {} } = options
  const rolesAtFirst = typeof wanted === 'function' ? undefined : wanted.roles
  const hosts = options.hosts ?? (rolesAtFirst ?? defaultSettings.roles).length
  const lab =
    runningLab(name) ?? (await step(`Boot ${hosts} hosts`, () => startLab({ name, hosts, isOwned })))
  const repository = await serveRepository(lab)
  const first = typeof wanted === 'function' ? await wanted(lab) : wanted
  return new Deployment(lab, repository, isOwned, { ...defaultSettings, ...first })
}

/**
 * The same, and deploys to it.
 * @throws Error with what Terraform wrote where that fails; the lab is taken down then, where it is owned
 */
export async function deployLab(options: DeploymentOptions): Promise<LabDeployment> {
  const deployment = await startDeployment(options)
  const { code, output } = await deployment.apply()
  if (code === 0) return deployment
  await deployment.close()
  throw new Error(`terraform apply failed:\n${output}`)
}

class Deployment implements LabDeployment {
  readonly lab: LabRecord
  readonly folder: string
  readonly secrets: Readonly<Record<string, string>>
  readonly #repository: Repository
  readonly #isOwned: boolean
  #settings: LabSettings

  constructor(lab: LabRecord, repository: Repository, isOwned: boolean, settings: LabSettings) {
    this.lab = lab
    this.folder = join(lab.folder, 'terraform')
    this.secrets = { redis_secret: keptSecret(join(lab.folder, 'redis-secret')) }
    this.#repository = repository
    this.#isOwned = isOwned
    this.#settings = settings
  }

  get settings(): LabSettings {
    return this.#settings
  }

  get virtualIps(): readonly string[] {
    return virtualIpsOf(this.lab, this.#settings)
  }

  publish(): Promise<void> {
    return this.#repository.publish(this.#settings.version)
  }

  async apply(changes: Partial<LabSettings> = {}): Promise<TerraformRun> {
    this.#settings = { ...this.#settings, ...changes }
    const environments = join(this.lab.folder, 'environments')
    await this.publish()
    const signingKey = await this.#repository.signingKey()
    await writeEnvironment(join(environments, environment), this.lab, this.#settings, signingKey)
    await writeStack(environments, environment, this.folder)
    const init = await this.terraform('init', '-input=false', '-no-color')
    if (init.code !== 0) return init
    return step('terraform apply', () => this.terraform(...applying))
  }

  terraform(...args: string[]): Promise<TerraformRun> {
    return terraform(this.folder, args, this.secrets)
  }

  destroy(): Promise<TerraformRun> {
    return step('terraform destroy', () => this.terraform(...applying, '-destroy'))
  }

  async close(): Promise<void> {
    await this.#repository.close()
    if (this.#isOwned) await removeLab(this.lab)
  }
}
