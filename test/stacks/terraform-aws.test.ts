import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { homedir, tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from '@jest/globals'
import { synthesizeEnvironments } from '../../scripts/synth/synthesize.ts'
import { terraformFolder } from '../constructs/terraform.ts'

/** Where Terraform looks for providers without a network (Terraform CLI, "Implied Local Mirror Directories"). */
const mirrors = [join(homedir(), '.terraform.d/plugins'), '/usr/local/share/terraform/plugins']
const provider = 'registry.terraform.io/hashicorp/aws'
const isInstalled = mirrors.some((mirror) => existsSync(join(mirror, provider)))
const providerTest = isInstalled ? test : test.skip
const reason = isInstalled ? '' : ' (skipped: the AWS provider is not installed)'

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
})
