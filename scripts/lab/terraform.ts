import { execFile } from 'node:child_process'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { synthesizeEnvironments } from '../synth/synthesize.ts'

/** How a run of Terraform ended. */
export interface TerraformRun {
  readonly code: number
  /** All it wrote, to both streams, without colours. */
  readonly output: string
}

const longest = 1_200_000

/**
 * Synthesizes an environment and makes it a folder for Terraform of its own, which keeps the state.
 * @param environments - folder that holds the folder of the environment
 * @throws Error that names file, line and column when a file of the environment is wrong
 */
export async function writeStack(environments: string, name: string, folder: string): Promise<void> {
  await mkdir(folder, { recursive: true })
  const outdir = join(folder, 'cdktf.out')
  const [synthesized] = synthesizeEnvironments({ environments, names: [name], outdir })
  const stack = JSON.parse(await readFile(synthesized!.file, 'utf8'))
  stack.terraform.backend = { local: { path: join(folder, 'terraform.tfstate') } }
  await writeFile(join(folder, 'cdk.tf.json'), JSON.stringify(stack, null, 2))
}

/**
 * Runs Terraform in a folder, without a network: what is deployed to hosts needs no provider.
 * @param secrets - variables of the stack by name
 * @throws Error where it cannot be started
 */
export function terraform(
  folder: string,
  args: readonly string[],
  secrets: Readonly<Record<string, string>>,
): Promise<TerraformRun> {
  const variables = Object.entries(secrets).map(([name, value]) => [`TF_VAR_${name}`, value])
  const env = {
    ...process.env,
    ...Object.fromEntries(variables),
    CHECKPOINT_DISABLE: '1',
    TF_IN_AUTOMATION: '1',
    TF_CLI_CONFIG_FILE: '/dev/null',
  }
  return new Promise((resolve, reject) => {
    const options = { cwd: folder, env, timeout: longest, maxBuffer: 67_108_864 }
    execFile('terraform', [...args], options, (error, stdout, stderr) => {
      if (error && typeof error.code === 'string') {
        return reject(
          new Error(`terraform cannot be started: ${error.message}. Install Terraform 1.10 or newer`),
        )
      }
      resolve({ code: error ? Number(error.code ?? 1) : 0, output: `${stdout}${stderr}` })
    })
  })
}
