import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { awsNames } from '../../../constructs/pulumi/names.ts'
import { installEngine } from '../../../scripts/engines/install.ts'
import { root } from '../../../scripts/process/tool.ts'
import { synthesizeEnvironments } from '../../../scripts/synth/synthesize.ts'
import { all, type Resource, type Synthesized } from '../synthesized.ts'
import { type Deployed, deployModule } from './deploy.ts'
import { actualArguments, expectedArguments, mockedText } from './twins.ts'

const outdir = mkdtempSync(join(tmpdir(), 'gateway-pulumi-environments-'))
const environments = synthesizeEnvironments({ outdir }).map(({ name, target, file }) => ({
  name,
  target,
  json: JSON.parse(readFileSync(file, 'utf8')) as Synthesized,
}))
beforeAll(() => installEngine('pulumi'), 600_000)
afterAll(() => rmSync(outdir, { recursive: true }))

describe.each(environments)('$name under Pulumi', ({ name, target, json }) => {
  let deployed: Deployed
  beforeAll(async () => {
    deployed = await deployModule(join(root, 'stacks/pulumi/index.ts'), name)
  }, 120_000)

  test('has a twin of every resource of Terraform, with equal inputs, and nothing else', () => {
    const expected = expectedArguments(json)
    const ours = deployed.resources.filter(({ type }) => type.startsWith('aws:'))
    const aws = [...expected.keys()].filter((place) => place.startsWith('aws_'))
    const twinNames = aws.map((place) => `${name}-${place.split('.')[1]}`)
    expect(ours.map((resource) => resource.name).sort()).toEqual(twinNames.sort())
    for (const place of aws) {
      const [type = '', id] = place.split('.')
      const twin = ours.find((resource) => resource.name === `${name}-${id}`)!
      expect([place, twin.type]).toEqual([place, awsNames.resources[type]!.token])
      expect([place, actualArguments(type, twin)]).toEqual([place, expected.get(place)])
    }
  })

  test('waits, protects and replaces as Terraform does', () => {
    for (const [type, resources] of Object.entries(json.resource)) {
      if (type === 'terraform_data') continue
      for (const [id, { lifecycle, depends_on: dependsOn = [] }] of Object.entries(resources)) {
        const { options } = deployed.resources.find((resource) => resource.name === `${name}-${id}`)!
        expect([id, options.protect]).toEqual([id, lifecycle?.prevent_destroy ?? false])
        expect([id, options.deleteBeforeReplace]).toEqual([id, !(lifecycle?.create_before_destroy ?? false)])
        const waited = dependsOn.map((path: string) => `${name}-${path.split('.')[1]}`)
        expect(options.dependencies).toEqual(expect.arrayContaining(waited))
      }
    }
  })

  test('runs what its provisioners run', () => {
    const provisioned = all(json, 'terraform_data').filter((resource) => !('for_each' in resource))
    const planned = provisioned.flatMap(({ provisioner }): Resource[] => provisioner)
    const commands = deployed.resources.filter(({ type }) => type.startsWith('command:'))
    const texts = JSON.stringify(commands.map(({ inputs }) => inputs))
    for (const [provisioner] of planned.map((entry) => Object.entries(entry))) {
      const [, { content, inline, command }] = provisioner as [string, Resource]
      for (const text of [content, ...(inline ?? []), command].filter((value) => value !== undefined)) {
        expect(texts).toContain(JSON.stringify(mockedText(text, json)).slice(1, -1))
      }
    }
    expect(commands.length > 0).toBe(target !== 'aws')
  })

  test('has the same data sources and outputs', () => {
    const tokens = Object.keys(json.data ?? {}).map((type) => awsNames.data[type]!.token)
    expect(deployed.calls.map(({ token }) => token).sort()).toEqual(tokens.sort())
    const outputs = Object.entries(json.output ?? {}).map(([key, output]) => [
      key,
      JSON.parse(mockedText(JSON.stringify((output as Resource).value), json)),
    ])
    expect(deployed.outputs).toEqual({ [name]: Object.fromEntries(outputs) })
  })

  test('configures its provider', () => {
    const configured = deployed.resources.filter(({ type }) => type === 'pulumi:providers:aws')
    expect(configured.map(({ inputs }) => inputs.region)).toEqual(
      (json.provider?.aws ?? []).map(({ region }) => region),
    )
    for (const { type, provider } of deployed.resources) {
      if (type.startsWith('aws:')) expect(provider).toContain(`::${name}-aws::`)
    }
  })
})
