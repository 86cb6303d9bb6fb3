import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { type CdktnProject, createCdktnProject } from '../../scripts/engines/cdktn-project.ts'
import { installEngine } from '../../scripts/engines/install.ts'
import { stackFolder } from '../../scripts/export/stack-folder.ts'
import { root } from '../../scripts/process/tool.ts'
import { synthesizeEnvironments } from '../../scripts/synth/synthesize.ts'
import { deployModule } from '../constructs/pulumi/deploy.ts'

const outdir = mkdtempSync(join(tmpdir(), 'gateway-engines-'))
let project: CdktnProject
beforeAll(async () => {
  await installEngine('pulumi')
  project = await createCdktnProject()
}, 600_000)
afterAll(() => {
  project?.remove()
  rmSync(outdir, { recursive: true })
})

type Counts = Readonly<Record<string, number>>
const sum = (counts: Counts) => Object.values(counts).reduce((all, count) => all + count, 0)

function underCdktn(): Readonly<Record<string, number>> {
  const { stdout } = spawnSync(process.execPath, ['scripts/synth.ts', '--json'], {
    cwd: project.directory,
    encoding: 'utf8',
    env: { ...process.env, CDKTF_OUTDIR: join(project.directory, 'cdktf.out') },
  })
  const { environments }: { environments: { name: string; resources: Counts }[] } = JSON.parse(stdout)
  return Object.fromEntries(environments.map(({ name, resources }) => [name, sum(resources)]))
}

function exported(name: string, file: string): number {
  const { resource } = JSON.parse(
    stackFolder(name, readFileSync(file, 'utf8')).get('main.tf.json')!.toString(),
  )
  return sum(
    Object.fromEntries(
      Object.entries(resource).map(([type, all]) => [type, Object.keys(all as object).length]),
    ),
  )
}

/** Resources of AWS, and the provisioners of terraform_data. */
async function underPulumi(name: string): Promise<number> {
  const { resources } = await deployModule(join(root, 'stacks/pulumi/index.ts'), name)
  return resources.filter(({ type }) => /^(aws:|gatehouse:terraform:Provisioners)/.test(type)).length
}

test('docs/engines.md tells what each engine makes of each environment', async () => {
  const cdktn = underCdktn()
  const rows: string[] = []
  for (const { name, target, file, counts } of synthesizeEnvironments({ outdir })) {
    const cells = [
      sum(Object.fromEntries(counts)),
      cdktn[name],
      exported(name, file),
      await underPulumi(name),
    ]
    rows.push(`| ${name} (${target}) | ${cells.join(' | ')} |`)
  }
  const table = [
    '| environment | cdktf | CDK Terrain | Terraform, OpenTofu | Pulumi |',
    '| --- | --- | --- | --- | --- |',
    ...rows,
  ].join('\n')
  const page = readFileSync(join(root, 'docs/engines.md'), 'utf8')
  const written = /<!-- table -->\n([\s\S]*?)<!-- \/table -->/.exec(page)?.[1] ?? ''
  expect(written.replaceAll(/ +/g, ' ').replaceAll(/-{3,}/g, '---').trim()).toBe(table)
}, 300_000)
