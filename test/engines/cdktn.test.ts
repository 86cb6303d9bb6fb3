import { spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { type CdktnProject, createCdktnProject } from '../../scripts/engines/cdktn-project.ts'
import { root } from '../../scripts/process/tool.ts'
import { synthesizeEnvironments } from '../../scripts/synth/synthesize.ts'

const minutes = 60_000
const outdir = mkdtempSync(join(tmpdir(), 'gateway-cdktf-out-'))
let project: CdktnProject
beforeAll(async () => {
  project = await createCdktnProject()
}, 10 * minutes)
afterAll(() => {
  project?.remove()
  rmSync(outdir, { recursive: true })
})

/** Runs a program of Node.js in the copy; its environment says nothing of the Jest that runs this. */
function run(args: readonly string[], variables: NodeJS.ProcessEnv = {}) {
  const { NODE_OPTIONS: _, JEST_WORKER_ID: __, ...environment } = process.env
  return spawnSync(process.execPath, args, {
    cwd: project.directory,
    encoding: 'utf8',
    env: { ...environment, ...variables },
    timeout: 8 * minutes,
    maxBuffer: 64 * 2 ** 20,
  })
}

/** A stack without what the two write for people, and without the version of the provider. */
function comparable(file: string, folder: string) {
  const text = readFileSync(file, 'utf8')
    .replaceAll(process.execPath, 'node')
    .replaceAll(folder, '/repository')
  const { terraform, ...stack } = JSON.parse(text, (key, value) => (key === '//' ? undefined : value))
  const { required_providers: providers, ...settings } = terraform
  const sources = Object.values(providers ?? {}).map((provider) => (provider as { source: string }).source)
  return { ...stack, terraform: settings, sources: sources.map((source) => source.replace('hashicorp/', '')) }
}

describe('with CDK Terrain in place of cdktf', () => {
  test('nothing of cdktf is there', () => {
    const packages = ['cdktf', '@cdktf', 'cdktn', '@cdktn/provider-aws']
    expect(packages.map((name) => existsSync(join(project.directory, 'node_modules', name)))).toEqual([
      false,
      false,
      true,
      true,
    ])
  })

  test(
    'constructs, stacks and their tests compile',
    () => {
      const { stdout } = run(['node_modules/typescript/bin/tsc', '-p', '.', '--pretty', 'false'])
      // What they import of the gateway, which is not part of the copy, is checked with the whole repository.
      const own = stdout
        .split('\n')
        .filter((line) => /^\S/.test(line) && !line.startsWith('gateway-runtime/'))
      expect(own).toEqual([])
    },
    3 * minutes,
  )

  test(
    'every environment is the same for Terraform',
    () => {
      const { status, stdout, stderr } = run(['scripts/synth.ts', '--json'], {
        CDKTF_OUTDIR: join(project.directory, 'cdktf.out'),
      })
      expect([status, stderr]).toEqual([0, ''])
      const theirs: { name: string; file: string }[] = JSON.parse(stdout).environments
      const ours = synthesizeEnvironments({ outdir })
      expect(theirs.map(({ name }) => name)).toEqual(ours.map(({ name }) => name))
      for (const [index, { file }] of ours.entries()) {
        expect(comparable(theirs[index]!.file, project.directory)).toEqual(comparable(file, root))
      }
    },
    2 * minutes,
  )

  test(
    'the tests of constructs and stacks pass',
    () => {
      const report = join(project.directory, 'report.json')
      const jest = ['--experimental-vm-modules', 'node_modules/jest/bin/jest.js']
      const { stderr } = run([
        ...jest,
        '--json',
        `--outputFile=${report}`,
        'test/constructs',
        'test/stacks',
        '--testPathIgnorePatterns=host-bootstrap', // which knows of no engine
      ])
      expect(existsSync(report) ? '' : stderr).toBe('')
      const { success, numFailedTests, numPassedTests } = JSON.parse(readFileSync(report, 'utf8'))
      expect(success ? '' : stderr).toBe('')
      expect(numFailedTests).toBe(0)
      expect(numPassedTests).toBeGreaterThan(150)
    },
    9 * minutes,
  )
})
