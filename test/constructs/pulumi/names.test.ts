import { spawnSync } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, describe, expect, test } from '@jest/globals'
import { awsNames } from '../../../constructs/pulumi/names.ts'
import { installEngine } from '../../../scripts/engines/install.ts'
import { root } from '../../../scripts/process/tool.ts'
import { awsNames as readNames, renderNames } from '../../../scripts/pulumi-names/render.ts'

let modules: string
beforeAll(async () => {
  modules = await installEngine('pulumi')
}, 600_000)

/** `lb-target-group` and `data-aws-ami`: what constructs import of the AWS provider. */
const imported = ['constructs', 'stacks'].flatMap((folder) =>
  readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.ts'))
    .flatMap((file) => [
      ...readFileSync(join(root, folder, file), 'utf8').matchAll(/provider-aws\/lib\/([a-z0-9-]+)\//g),
    ])
    .map(([, module]) => module!),
)

describe('the names of AWS in Pulumi', () => {
  test('are those that the type declarations of @pulumi/aws have, for every property of Terraform', () => {
    const { names, missing } = readNames(modules)
    expect(missing).toEqual([])
    const file = readFileSync(join(root, 'constructs/pulumi/aws-names.json'), 'utf8')
    expect(file === renderNames(names)).toBe(true) // else: node scripts/pulumi-names.ts
  })

  test('are known for everything that constructs use', () => {
    const modulesInUse = [...new Set(imported)].filter((module) => module !== 'provider')
    expect(modulesInUse.length).toBeGreaterThan(60)
    const isKnown = (module: string) =>
      module.startsWith('data-')
        ? module.slice('data-'.length).replaceAll('-', '_') in awsNames.data
        : `aws_${module.replaceAll('-', '_')}` in awsNames.resources
    expect(modulesInUse.filter((module) => !isKnown(module))).toEqual([])
  })

  test('tell single blocks from lists, and what was given another name', () => {
    expect(awsNames.resources.aws_autoscaling_group!.properties).toMatchObject({
      instance_refresh: { name: 'instanceRefresh', shape: 'object' },
      initial_lifecycle_hook: { name: 'initialLifecycleHooks', shape: 'object[]' },
      vpc_zone_identifier: { name: 'vpcZoneIdentifiers', shape: 'string[]' },
    })
    expect(awsNames.resources.aws_sns_topic_subscription!.properties.topic_arn!.name).toBe('topic')
    expect(awsNames.resources.aws_lb!.token).toBe('aws:lb/loadBalancer:LoadBalancer')
  })
})

describe('constructs/pulumi', () => {
  test('compiles with the type declarations of Pulumi', () => {
    const { stdout } = spawnSync(
      process.execPath,
      ['node_modules/typescript/bin/tsc', '-p', 'constructs/pulumi', '--pretty', 'false'],
      { cwd: root, encoding: 'utf8' },
    )
    // What they import of the gateway, `npm test` checks as a whole.
    expect(
      stdout.split('\n').filter((line) => /^\S/.test(line) && !line.startsWith('gateway-runtime/')),
    ).toEqual([])
  }, 180_000)
})
