import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { type CdktnProject, createCdktnProject } from '../../scripts/engines/cdktn-project.ts'
import { installEngine } from '../../scripts/engines/install.ts'
import { changeImports } from '../../scripts/engines/specifiers.ts'
import { stackFolder } from '../../scripts/export/stack-folder.ts'
import { root } from '../../scripts/process/tool.ts'
import { synthesizeEnvironments } from '../../scripts/synth/synthesize.ts'
import { deploy, deployModule } from '../constructs/pulumi/deploy.ts'
import { type Feature, features, pulumiProgram, synthesizingProgram } from './features.ts'

const engines = ['cdktf', 'CDK Terrain', 'Terraform, OpenTofu', 'Pulumi']
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

/** A table of docs/engines.md, without the spaces that align it. */
function written(name: string): string {
  const page = readFileSync(join(root, 'docs/engines.md'), 'utf8')
  const [, table = ''] = new RegExp(`<!-- ${name} -->\\n([\\s\\S]*?)<!-- /${name} -->`).exec(page) ?? []
  return table.replaceAll(/ +/g, ' ').replaceAll(/-{3,}/g, '---').trim()
}

const tableOf = (rows: readonly (readonly unknown[])[]) => {
  const [head = [], ...body] = rows
  return [head, head.map(() => '---'), ...body].map((cells) => `| ${cells.join(' | ')} |`).join('\n')
}

test('docs/engines.md tells what each engine makes of each environment', async () => {
  const cdktn = underCdktn()
  const rows: unknown[][] = []
  for (const { name, target, file, counts } of synthesizeEnvironments({ outdir })) {
    rows.push([
      `${name} (${target})`,
      sum(Object.fromEntries(counts)),
      cdktn[name],
      exported(name, file),
      await underPulumi(name),
    ])
  }
  expect(written('environments')).toBe(tableOf([['environment', ...engines], ...rows]))
}, 300_000)

/** The stack of each feature, as a project's engine writes them. */
function featureStacks(directory: string, program: string): object[] {
  const folder = mkdtempSync(join(directory, 'node_modules/.gateway-features-'))
  try {
    const file = join(folder, 'features.mjs')
    writeFileSync(file, program.replaceAll('#root/', `${directory}/`))
    const { stdout, stderr, status } = spawnSync(process.execPath, [file], {
      cwd: directory,
      encoding: 'utf8',
      maxBuffer: 16 * 2 ** 20,
    })
    if (status !== 0) throw new Error(stderr)
    return JSON.parse(stdout)
  } finally {
    rmSync(folder, { recursive: true })
  }
}

/** What the page says of a feature under Pulumi, when it is so. */
async function pulumiCell(feature: Feature): Promise<string> {
  const { pulumi, refused } = feature
  try {
    return pulumi.shows(await deploy(pulumiProgram(feature))) ? pulumi.says : 'no'
  } catch (error) {
    if (refused?.test((error as Error).message)) return pulumi.says
    throw error
  }
}

test('docs/engines.md tells what works under each engine', async () => {
  const ours = featureStacks(root, synthesizingProgram)
  const theirs = featureStacks(project.directory, changeImports(synthesizingProgram))
  const rows: string[][] = []
  for (const [index, feature] of features.entries()) {
    const stacks = [ours[index], theirs[index]]
    const alone = stackFolder('test', JSON.stringify(stacks[0])).get('main.tf.json')!
    const cells = [...stacks, JSON.parse(alone.toString())].map((stack) =>
      feature.isIn(stack) ? 'yes' : 'no',
    )
    rows.push([feature.label, ...cells, await pulumiCell(feature)])
  }
  expect(written('features')).toBe(tableOf([['', ...engines], ...rows]).replace('|  |', '| |'))
}, 600_000)
