import { spawnSync } from 'node:child_process'
import { cpSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { describe, expect, test } from '@jest/globals'
import { stackFolder } from '../../scripts/export/stack-folder.ts'
import { root } from '../../scripts/process/tool.ts'
import { terraformTest } from '../constructs/terraform.ts'
import { temporaryFolders } from '../support/temporary-folder.ts'

const temporaryFolder = temporaryFolders()

const exportStacks = (...args: string[]) =>
  spawnSync(process.execPath, ['scripts/export.ts', ...args], { cwd: root, encoding: 'utf8' })

const filesOf = (folder: string) =>
  readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1))
    .sort()

const main = (folder: string) => JSON.parse(readFileSync(join(folder, 'main.tf.json'), 'utf8'))

/** Where the program terraform is, and nothing of Node.js. */
async function pathWithoutNode(): Promise<string> {
  const bin = await temporaryFolder()
  const found = process.env.PATH!.split(delimiter).find((entry) => {
    try {
      return readdirSync(entry).includes('terraform')
    } catch {
      return false
    }
  })!
  cpSync(join(found, 'terraform'), join(bin, 'terraform'))
  return bin
}

describe('npm run export', () => {
  test('writes what Terraform reads, a page on it, and what is read by it', async () => {
    const out = await temporaryFolder()
    const { status, stdout, stderr } = exportStacks('production', 'local', 'onprem', '--out', out, '--json')
    expect([status, stderr]).toEqual([0, ''])
    expect(JSON.parse(stdout).stacks.map(({ name }: { name: string }) => name)).toEqual([
      'local',
      'onprem',
      'production',
    ])
    expect(filesOf(out)).toEqual([
      'local/README.md',
      'local/assets/control.mjs',
      'local/main.tf.json',
      'onprem/README.md',
      'onprem/main.tf.json',
      'production/README.md',
      'production/main.tf.json',
    ])
    expect(readFileSync(join(out, 'production/README.md'), 'utf8')).toContain('`hashicorp/aws` 6.')
  })

  test('pins providers by their full names, and has nothing of this machine in it', async () => {
    const out = await temporaryFolder()
    exportStacks('production', '--out', out)
    const json = main(join(out, 'production'))
    expect(json.terraform).toEqual({
      required_version: expect.stringMatching(/^>= /),
      required_providers: {
        aws: { source: 'hashicorp/aws', version: expect.stringMatching(/^\d+\.\d+\.\d+$/) },
      },
    })
    expect(JSON.stringify(json)).not.toContain(root)
    expect(JSON.stringify(json)).not.toContain('"metadata"')
    expect(JSON.stringify(json)).toContain('"accepted"') // what the scanners' findings are answered with
  })

  test('takes the backend and the files of a stack along', async () => {
    const folder = await temporaryFolder()
    const file = join(folder, 'gateway.deb')
    writeFileSync(file, 'package')
    const s3 = { bucket: 'states', key: 'gatehouse/x.tfstate', region: 'eu-central-1', use_lockfile: true }
    const files = stackFolder(
      'x',
      JSON.stringify({
        terraform: { backend: { s3 }, required_providers: { aws: { source: 'aws', version: '6.25.0' } } },
        resource: { aws_s3_object: { package: { key: 'gateway.deb', source: file } } },
      }),
    )
    const json = JSON.parse(files.get('main.tf.json')!.toString())
    expect(json.terraform.backend).toEqual({ s3 })
    expect(json.resource.aws_s3_object.package.source).toMatch(/^\$\{path\.module\}\/assets\/gateway\.deb$/)
    expect(files.get('assets/gateway.deb')!.toString()).toBe('package')
    expect(files.get('README.md')).toContain('`states`')
  })

  test('written again, it keeps the state and files of people', async () => {
    const out = await temporaryFolder()
    mkdirSync(join(out, 'onprem/assets'), { recursive: true })
    for (const name of ['terraform.tfstate', 'own.tf', 'assets/old'])
      writeFileSync(join(out, 'onprem', name), 'x')
    exportStacks('onprem', '--out', out)
    expect(filesOf(join(out, 'onprem'))).toEqual(['README.md', 'main.tf.json', 'own.tf', 'terraform.tfstate'])
  })

  test('names the environments there are', () => {
    expect(exportStacks('prod').stderr).toMatch(
      /^export: no environment is called "prod"; there are: local, /,
    )
    expect(exportStacks().stderr).toMatch(/^export: expected the name of an environment/)
  })

  for (const name of ['local', 'onprem']) {
    terraformTest(
      `${name} is initialized and validated by Terraform, without Node.js and a network`,
      async () => {
        const out = await temporaryFolder()
        const PATH = await pathWithoutNode()
        exportStacks(name, '--out', out)
        for (const args of [
          ['init', '-input=false'],
          ['validate', '-no-color'],
        ]) {
          const { status, stderr } = spawnSync(join(PATH, 'terraform'), args, {
            cwd: join(out, name),
            encoding: 'utf8',
            env: { PATH, HOME: out, CHECKPOINT_DISABLE: '1', HTTPS_PROXY: 'http://127.0.0.1:1' },
          })
          expect([status, stderr]).toEqual([0, ''])
        }
      },
    )
  }
})
