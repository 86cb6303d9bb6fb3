import { spawnSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, describe, expect, test } from '@jest/globals'
import { importFile } from '../../../constructs/pulumi/import-file.ts'
import { installEngine } from '../../../scripts/engines/install.ts'
import { root } from '../../../scripts/process/tool.ts'
import { synthesizeEnvironments } from '../../../scripts/synth/synthesize.ts'
import { temporaryFolders } from '../../support/temporary-folder.ts'
import type { Synthesized } from '../synthesized.ts'
import { deployModule } from './deploy.ts'

const temporaryFolder = temporaryFolders()
beforeAll(() => installEngine('pulumi'), 600_000)

const resource = (type: string, name: string, attributes: object) => ({
  mode: 'managed',
  type,
  name,
  provider: 'provider["hashicorp/aws"]',
  instances: [{ schema_version: 0, attributes }],
})
const state = (...resources: object[]) =>
  JSON.stringify({ version: 4, terraform_version: '1.11.4', serial: 3, lineage: 'x', outputs: {}, resources })

describe('the import file', () => {
  test('names resources as TerraformConstructs does, by what they are imported by', () => {
    const { file, skipped } = importFile(
      state(
        resource('aws_vpc', 'gateway_vpc', { id: 'vpc-1' }),
        resource('aws_s3_object', 'file', { id: 'x', bucket: 'b', key: 'k/l' }),
        resource('aws_route', 'v6', {
          id: 'r-1',
          route_table_id: 'rtb-1',
          destination_cidr_block: '',
          destination_ipv6_cidr_block: '::/0',
        }),
        resource('aws_route_table_association', 'a', {
          id: 'rtbassoc-1',
          subnet_id: 'subnet-1',
          gateway_id: '',
          route_table_id: 'rtb-1',
        }),
        resource('aws_db_instance', 'database', { id: 'db-ABC', identifier: 'gatehouse' }),
        resource('terraform_data', 'host', { id: 'y' }),
        { ...resource('aws_ami', 'image', { id: 'ami-1' }), mode: 'data' },
      ),
      'production',
    )
    const parent = 'production'
    expect(file.resources).toEqual([
      { type: 'gatehouse:terraform:Constructs', name: 'production', component: true },
      { type: 'aws:ec2/vpc:Vpc', name: 'production-gateway_vpc', id: 'vpc-1', parent },
      { type: 'aws:s3/bucketObjectv2:BucketObjectv2', name: 'production-file', id: 'b/k/l', parent },
      { type: 'aws:ec2/route:Route', name: 'production-v6', id: 'rtb-1_::/0', parent },
      {
        type: 'aws:ec2/routeTableAssociation:RouteTableAssociation',
        name: 'production-a',
        id: 'subnet-1/rtb-1',
        parent,
      },
      { type: 'aws:rds/instance:Instance', name: 'production-database', id: 'gatehouse', parent },
    ])
    expect(skipped).toEqual(['terraform_data.host'])
  })

  test('of a deployed environment holds just what Pulumi would make', async () => {
    const outdir = await temporaryFolder()
    const [production] = synthesizeEnvironments({ names: ['production'], outdir })
    const json: Synthesized = JSON.parse(readFileSync(production!.file, 'utf8'))
    const attributes = {
      id: 'id',
      bucket: 'b',
      key: 'k',
      name: 'n',
      autoscaling_group_name: 'g',
      log_group_name: 'l',
      key_id: 'k',
      grant_id: 'g',
      route_table_id: 'r',
      destination_cidr_block: '0.0.0.0/0',
      subnet_id: 's',
    }
    const resources = Object.entries(json.resource).flatMap(([type, all]) =>
      Object.keys(all).map((name) => resource(type, name, attributes)),
    )
    const { file } = importFile(state(...resources), 'production')
    const deployed = await deployModule(join(root, 'stacks/pulumi/index.ts'), 'production')
    const made = deployed.resources.filter(({ type }) => !type.startsWith('pulumi:providers:'))
    const place = ({ type, name }: { type: string; name: string }) => `${type} ${name}`
    expect(file.resources.map(place).sort()).toEqual(made.map(place).sort())
  }, 120_000)

  test.each([
    ['{"version": 3, "resources": []}', 'expected a state of Terraform, version 4'],
    [state(resource('aws_unheard_of', 'x', { id: 'x' })), 'aws_unheard_of has no known name in Pulumi'],
    [
      state(resource('aws_s3_object', 'x', { id: 'x', bucket: 'b' })),
      'aws_s3_object.x has no key in the state',
    ],
  ])('is not made of %s', (text, message) => {
    expect(() => importFile(text, 'x')).toThrow(message)
  })

  test('is written by npm run pulumi-import', async () => {
    const folder = await temporaryFolder()
    const [from, out] = [join(folder, 'terraform.tfstate'), join(folder, 'import.json')]
    writeFileSync(
      from,
      state(resource('aws_vpc', 'v', { id: 'vpc-1' }), resource('terraform_data', 'h', { id: 'y' })),
    )
    const { status, stdout } = spawnSync(
      process.execPath,
      ['scripts/pulumi-import.ts', from, '--name', 'production', '--out', out],
      { cwd: root, encoding: 'utf8' },
    )
    expect(status).toBe(0)
    expect(stdout).toContain('with 1 resources')
    expect(stdout).toContain('Left out, as it exists in the state alone: terraform_data.h')
    expect(JSON.parse(readFileSync(out, 'utf8')).resources).toHaveLength(2)
  })
})
