import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { homedir, tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from '@jest/globals'
import { synthesizeEnvironments } from '../../scripts/synth/synthesize.ts'
import { environmentsDirectory } from '../../stacks/app.ts'
import { terraformFolder } from '../constructs/terraform.ts'

/** Where Terraform looks for providers without a network (Terraform CLI, "Implied Local Mirror Directories"). */
const mirrors = [join(homedir(), '.terraform.d/plugins'), '/usr/local/share/terraform/plugins']
const provider = 'registry.terraform.io/hashicorp/aws'
const isInstalled = mirrors.some((mirror) => existsSync(join(mirror, provider)))
const providerTest = isInstalled ? test : test.skip
const reason = isInstalled ? '' : ' (skipped: the AWS provider is not installed)'
/** Such as http://localhost:4566, of LocalStack or Moto */
const emulator = process.env.GATEHOUSE_AWS_EMULATOR
const emulatorTest = isInstalled && emulator ? test : test.skip
const noEmulator = emulator ? reason : ' (skipped: GATEHOUSE_AWS_EMULATOR names no emulator)'

const outdir = mkdtempSync(join(tmpdir(), 'gateway-terraform-aws-'))
afterAll(() => rmSync(outdir, { recursive: true }))

describe('the environments on AWS', () => {
  providerTest(`are valid for Terraform${reason}`, () => {
    for (const { target, file } of synthesizeEnvironments({ outdir })) {
      if (target !== 'aws') continue
      const folder = terraformFolder(JSON.parse(readFileSync(file, 'utf8')))
      try {
        expect(folder.run('init', '-input=false', '-backend=false')).toMatchObject({ status: 0, stderr: '' })
        expect(folder.run('validate', '-no-color')).toMatchObject({ status: 0, stderr: '' })
      } finally {
        folder.remove()
      }
    }
  })

  emulatorTest(
    `are deployed to an emulator, where a second run changes nothing${noEmulator}`,
    () => {
      const environments = join(outdir, 'environments')
      cpSync(environmentsDirectory, environments, { recursive: true })
      const file = join(environments, 'staging/environment.yaml')
      const text = readFileSync(file, 'utf8').replace(/^( +)zone: .*$/m, '$&\n$1create_zone: true')
      writeFileSync(file, `${text}\naws_endpoint: ${emulator}\n`)
      const [staging] = synthesizeEnvironments({ environments, names: ['staging'], outdir })
      const folder = terraformFolder(JSON.parse(readFileSync(staging!.file, 'utf8')), {
        AWS_ACCESS_KEY_ID: 'test',
        AWS_SECRET_ACCESS_KEY: 'test',
      })
      try {
        for (const args of [['init'], ['apply', '-auto-approve'], ['plan', '-detailed-exitcode']]) {
          const { status, stderr } = folder.run(...args, '-input=false', '-no-color')
          expect([args[0], status, stderr]).toEqual([args[0], 0, ''])
        }
      } finally {
        folder.remove() // the state with it; an emulator forgets by itself
      }
    },
    30 * 60_000,
  )
})
