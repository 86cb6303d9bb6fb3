import { spawnSync } from 'node:child_process'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { describe, expect, test } from '@jest/globals'
import { root } from '../../scripts/process/tool.ts'
import { temporaryFolders } from '../support/temporary-folder.ts'

const temporaryFolder = temporaryFolders()

const program = `import { App, TerraformStack } from 'cdktf'
import type * as s3 from "@cdktf/provider-aws/lib/s3-bucket/index.js"
const { Vpc } = await import('@cdktf/provider-aws/lib/vpc')
const { GoogleProvider } = require("@cdktf/provider-google/lib/provider")
jest.mock('cdktf')
export { Token } from 'cdktf/lib/tokens'
// 'cdktf' in a comment, from cdktf, and its file:
const file = 'cdktf.json', word = 'cdktf', other = 'my-cdktf-helper'
import helper from 'my-cdktf-helper'
import own from './cdktf'
`

const changed = `import { App, TerraformStack } from 'cdktn'
import type * as s3 from "@cdktn/provider-aws/lib/s3-bucket/index.js"
const { Vpc } = await import('@cdktn/provider-aws/lib/vpc')
const { GoogleProvider } = require("@cdktn/provider-google/lib/provider")
jest.mock('cdktn')
export { Token } from 'cdktn/lib/tokens'
// 'cdktf' in a comment, from cdktf, and its file:
const file = 'cdktf.json', word = 'cdktf', other = 'my-cdktf-helper'
import helper from 'my-cdktf-helper'
import own from './cdktf'
`

const manifest = {
  name: 'infrastructure',
  scripts: { synth: 'cdktf synth' },
  dependencies: {
    '@cdktf/provider-aws': '^21.0.0',
    '@cdktf/provider-google': '^16.0.0',
    cdktf: '^0.21.0',
    constructs: '^10.8.0',
  },
  devDependencies: { 'cdktf-cli': '^0.21.0', jest: '^30.0.0' },
}

async function projectWith(files: Readonly<Record<string, string>>) {
  const folder = await temporaryFolder()
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, name)), { recursive: true })
    writeFileSync(join(folder, name), text)
  }
  return folder
}

const changeToCdktn = (...args: string[]) =>
  spawnSync(process.execPath, ['scripts/change-to-cdktn.ts', ...args], { cwd: root, encoding: 'utf8' })

const project = () =>
  projectWith({
    'package.json': JSON.stringify(manifest, null, 2),
    'src/main.ts': program,
    'src/other.ts': 'export const other = 1\n',
    'node_modules/x/index.js': "require('cdktf')\n",
    'cdktf.json': '{"app": "npx ts-node main.ts"}',
  })

describe('npm run change-to-cdktn', () => {
  test('changes imports and dependencies, and nothing else', async () => {
    const folder = await project()
    const { status, stdout, stderr } = changeToCdktn(folder)
    expect([status, stderr]).toEqual([0, ''])
    expect(stdout).toContain('changed package.json')
    expect(stdout).toContain('changed src/main.ts')
    expect(stdout).toContain('choose a version of @cdktn/provider-google')
    expect(readFileSync(join(folder, 'src/main.ts'), 'utf8')).toBe(changed)
    expect(readFileSync(join(folder, 'node_modules/x/index.js'), 'utf8')).toBe("require('cdktf')\n")
    const { dependencies, devDependencies, scripts } = JSON.parse(
      readFileSync(join(folder, 'package.json'), 'utf8'),
    )
    expect(dependencies).toEqual({
      '@cdktn/provider-aws': '25.7.0',
      '@cdktn/provider-google': 'latest',
      cdktn: '0.24.0',
      constructs: '10.7.2',
    })
    expect(devDependencies).toEqual({ 'cdktn-cli': '0.24.0', jest: '^30.0.0' })
    expect(scripts).toEqual({ synth: 'cdktn synth' })
  })

  test('finds nothing to do the second time', async () => {
    const folder = await project()
    changeToCdktn(folder)
    expect(changeToCdktn(folder).stdout).toBe('  Nothing here imports cdktf.\n')
  })

  test('with --check says what it would do, and leaves everything as it is', async () => {
    const folder = await project()
    const { status, stdout } = changeToCdktn('--check', folder)
    expect(status).toBe(1)
    expect(stdout).toContain('would change src/main.ts')
    expect(readFileSync(join(folder, 'src/main.ts'), 'utf8')).toBe(program)
  })

  test('wants one folder that is a project', async () => {
    expect(changeToCdktn().stderr).toContain('change-to-cdktn: expected one folder')
    expect(changeToCdktn(await temporaryFolder()).stderr).toMatch(/has no package\.json\n$/)
  })
})
