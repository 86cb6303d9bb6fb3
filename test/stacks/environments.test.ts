import { spawnSync } from 'node:child_process'
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { synthesizeEnvironments } from '../../scripts/synth/synthesize.ts'
import { environmentsDirectory } from '../../stacks/app.ts'
import { all, danglingReferences, only, type Synthesized } from '../constructs/synthesized.ts'
import { terraformFolder, terraformTest } from '../constructs/terraform.ts'

const root = join(import.meta.dirname, '../..')
const temporary: string[] = []
const temporaryFolder = () => {
  const directory = mkdtempSync(join(tmpdir(), 'gateway-stacks-'))
  temporary.push(directory)
  return directory
}
afterAll(() => {
  for (const directory of temporary) rmSync(directory, { recursive: true })
})
const read = (file: string): Synthesized => JSON.parse(readFileSync(file, 'utf8'))

describe('the environments of this repository', () => {
  const outdir = temporaryFolder()
  const environments = synthesizeEnvironments({ outdir })
  const json = Object.fromEntries(environments.map(({ name, file }) => [name, read(file)]))

  test('are these', () => {
    expect(environments.map(({ name, target }) => [name, target])).toEqual([
      ['local', 'local'],
      ['onprem', 'hosts'],
      ['production', 'aws'],
      ['staging', 'aws'],
    ])
  })

  test.each(environments.map(({ name }) => name))(
    '%s refers to nothing that its stack does not have',
    (name) => {
      expect(danglingReferences(json[name]!)).toEqual([])
    },
  )

  test.each(environments)('$name: the counts are those of the file', ({ file, counts }) => {
    const resources = Object.entries(read(file).resource)
    expect(Object.fromEntries(counts)).toEqual(
      Object.fromEntries(resources.map(([kind, all]) => [kind, Object.keys(all).length])),
    )
  })

  test('production has what the design asks for', () => {
    const production = environments.find(({ name }) => name === 'production')!
    expect(Object.fromEntries(production.counts)).toMatchObject({
      aws_vpc: 1,
      aws_subnet: 9,
      aws_eip: 3,
      aws_vpc_endpoint: 10,
      aws_lb: 1,
      aws_lb_listener: 2,
      aws_route53_record: 2,
      aws_elasticache_replication_group: 1,
      aws_launch_template: 1,
      aws_autoscaling_group: 1,
    })
  })

  test('staging and production differ in environment.yaml alone', () => {
    const files = (name: string) => {
      const folder = join(environmentsDirectory, name)
      const names = readdirSync(folder).filter((file) => file !== 'environment.yaml')
      return names.map((file) => [file, readFileSync(join(folder, file), 'utf8')])
    }
    expect(files('staging')).toEqual(files('production'))
  })

  test('tag every resource of AWS', () => {
    expect(json.production!.provider!.aws![0]!.default_tags).toEqual([
      { tags: { team: 'platform', project: 'gatehouse', environment: 'production' } },
    ])
  })

  test('hold no path of this machine, except the one that runs on it', () => {
    for (const name of ['onprem', 'production', 'staging']) {
      expect(JSON.stringify({ ...json[name], terraform: undefined })).not.toContain(root)
    }
  })

  for (const name of ['local', 'onprem']) {
    terraformTest(`${name} is valid for Terraform without a network`, () => {
      const folder = terraformFolder(json[name]!)
      try {
        expect(folder.run('init', '-input=false', '-backend=false')).toMatchObject({ status: 0, stderr: '' })
        expect(folder.run('validate', '-no-color')).toMatchObject({ status: 0, stderr: '' })
      } finally {
        folder.remove()
      }
    })
  }
})

describe('a new environment', () => {
  const environments = temporaryFolder()
  beforeAll(() => cpSync(environmentsDirectory, environments, { recursive: true }))
  const synthesize = (name: string, environment: (text: string) => string) => {
    cpSync(join(environmentsDirectory, 'production'), join(environments, name), { recursive: true })
    const file = join(environments, name, 'environment.yaml')
    writeFileSync(file, environment(readFileSync(file, 'utf8')))
    const outdir = temporaryFolder()
    return read(synthesizeEnvironments({ environments, names: [name], outdir })[0]!.file)
  }

  test('is a new folder', () => {
    const json = synthesize('canary', (text) => text.replace('api.example.com', 'canary.example.com'))
    expect(only(json, 'aws_lb').name).toBe('gatehouse-canary')
    expect(all(json, 'aws_route53_record').map((record) => record.name)).toEqual([
      'canary.example.com',
      'canary.example.com',
    ])
    expect(readdirSync(environments)).toEqual(['canary', 'local', 'onprem', 'production', 'staging'])
  })

  test('keeps its state where it says, encrypted and locked', () => {
    const json = synthesize(
      'shared',
      (text) => `${text}\nstate: { bucket: example-state, region: eu-west-1 }\n`,
    )
    expect(json.terraform.backend).toEqual({
      s3: {
        bucket: 'example-state',
        key: 'gatehouse/shared.tfstate',
        region: 'eu-west-1',
        encrypt: true,
        use_lockfile: true,
      },
    })
  })
})

describe('an environment in several regions', () => {
  test('is a stack a region, with the same domains and what belongs to the zone once', () => {
    const environments = temporaryFolder()
    const outdir = temporaryFolder()
    cpSync(join(environmentsDirectory, 'production'), join(environments, 'world'), { recursive: true })
    const file = join(environments, 'world/environment.yaml')
    const west =
      'region: eu-west-1, zones: [eu-west-1a, eu-west-1b, eu-west-1c], network: { cidr: 10.21.0.0/16 }'
    writeFileSync(
      file,
      readFileSync(file, 'utf8').replace(
        'domains: [api.example.com]',
        `domains: [api.example.com]\n  routing: failover\n  authorities: [{ ca: letsencrypt.org }]\nfurther_regions: [{ ${west} }]`,
      ),
    )
    const stacks = synthesizeEnvironments({ environments, outdir })
    expect(stacks.map(({ name }) => name)).toEqual(['world', 'world-eu-west-1'])
    const [first, second] = stacks.map(({ file }) => read(file))
    const records = (json: Synthesized) =>
      all(json, 'aws_route53_record')
        .map((record) => `${record.type} ${record.set_identifier ?? ''}`)
        .sort()
    expect(records(first!)).toEqual(['A primary', 'AAAA primary', 'CAA '])
    expect(records(second!)).toEqual(['A secondary', 'AAAA secondary'])
    expect(all(first!, 'aws_route53_health_check')).toHaveLength(4)
    expect(second!.provider!.aws![0]!.region).toBe('eu-west-1')
    // Roles belong to the account, not to the region.
    const roles = [first!, second!].flatMap((json) => all(json, 'aws_iam_role').map(({ name }) => name))
    expect(new Set(roles).size).toBe(roles.length)
    expect([first!, second!].flatMap(danglingReferences)).toEqual([])
  })
})

describe('the stack that keeps state', () => {
  test('is a bucket with versions and a key, which cannot be destroyed', () => {
    const { status, stdout } = spawnSync(
      process.execPath,
      ['scripts/bootstrap-state.ts', '--region', 'eu-central-1', '--synth'],
      { cwd: root, encoding: 'utf8' },
    )
    expect(status).toBe(0)
    const json = read(/Wrote (\S+)/.exec(stdout)![1]!)
    expect(only(json, 'aws_s3_bucket').lifecycle).toEqual({ prevent_destroy: true })
    expect(only(json, 'aws_s3_bucket_versioning').versioning_configuration.status).toBe('Enabled')
    expect(Object.keys(json.output!)).toEqual(['bucket_name', 'key_arn'])
    expect(danglingReferences(json)).toEqual([])
  })
})

describe('npm run synth', () => {
  const synth = (...args: string[]) =>
    spawnSync(process.execPath, ['scripts/synth.ts', ...args], {
      cwd: root,
      encoding: 'utf8',
      env: { ...process.env, CDKTF_OUTDIR: temporaryFolder(), PATH: '/nonexistent' },
    })

  test('prints what each environment would create, and needs no Terraform', () => {
    const { status, stdout, stderr } = synth()
    expect([status, stderr]).toEqual([0, ''])
    expect(stdout).toMatch(/resource +local +onprem +production +staging/)
    expect(stdout).toMatch(/aws_subnet +· +· +9 +9/)
  })

  test('synthesizes the environments that are named, for programs as well', () => {
    const { environments, stats } = JSON.parse(synth('onprem', '--json', '--stats').stdout)
    expect(environments).toEqual([
      {
        name: 'onprem',
        target: 'hosts',
        file: expect.stringMatching(/stacks\/onprem\/cdk\.tf\.json$/),
        resources: { terraform_data: 6 },
      },
    ])
    expect(stats).toEqual({ milliseconds: expect.any(Number), peakMebibytes: expect.any(Number) })
  })

  test('names the environments there are when it does not know one', () => {
    const { status, stderr } = synth('prod')
    expect(status).toBe(1)
    expect(stderr).toBe(
      'synth: no environment is called "prod"; there are: local, onprem, production, staging\n',
    )
  })
})
