import { type SpawnSyncReturns, spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from '@jest/globals'

const installed = spawnSync('terraform', ['version']).status === 0

/** A test that needs the program `terraform`; skipped, with the reason, where there is none. */
export const terraformTest = (name: string, run: () => void | Promise<void>) =>
  installed ? test(name, run) : test.skip(`${name} (skipped: terraform is not installed)`, run)

/**
 * A folder that holds a stack as Terraform reads it. Removed by `remove`.
 * @param variables of the environment that Terraform runs in, beside those of this process
 */
export function terraformFolder(json: object, variables: NodeJS.ProcessEnv = {}) {
  const directory = mkdtempSync(join(tmpdir(), 'gateway-terraform-'))
  writeFileSync(join(directory, 'cdk.tf.json'), JSON.stringify(json, null, 2))
  return {
    directory,
    /** Runs terraform without a network: a provider that would have to be downloaded makes it fail. */
    run: (...args: string[]): SpawnSyncReturns<string> =>
      spawnSync('terraform', args, {
        cwd: directory,
        encoding: 'utf8',
        env: {
          ...process.env,
          CHECKPOINT_DISABLE: '1',
          TF_IN_AUTOMATION: '1',
          HTTPS_PROXY: 'http://127.0.0.1:1',
          TF_CLI_CONFIG_FILE: '/dev/null',
          ...variables,
        },
      }),
    remove: () => rmSync(directory, { recursive: true }),
  }
}
