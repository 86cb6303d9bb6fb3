import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import { afterAll, describe, expect, test } from '@jest/globals'
import { acceptedRules } from '../../../constructs/aws/findings.ts'
import { synthesizeEnvironments } from '../../../scripts/synth/synthesize.ts'
import { danglingReferences, type Resource, type Synthesized } from '../../constructs/synthesized.ts'
import { everything } from './everything.ts'
import { breaking, listed, placed, reasonFor, statements } from './findings.ts'

const outdir = mkdtempSync(join(tmpdir(), 'gateway-policies-'))
afterAll(() => rmSync(outdir, { recursive: true }))
const stacks: [string, Synthesized][] = [
  ...synthesizeEnvironments({ outdir })
    .filter(({ target }) => target === 'aws')
    .map(({ name, file }): [string, Synthesized] => [name, JSON.parse(readFileSync(file, 'utf8'))]),
  ['a gateway with every part', everything()],
]

const isCustomerKey = (value: unknown) =>
  typeof value === 'string' && /^\$\{aws_kms_key\..+\.arn\}$/.test(value)
const everywhere = ['0.0.0.0/0', '::/0']

describe.each(stacks)('%s', (_, json) => {
  test('refers to nothing that its stack does not have', () => {
    expect(danglingReferences(json)).toEqual([])
  })

  test('is encrypted at rest with customer keys', () => {
    const keys: Record<string, (resource: Resource) => unknown> = {
      aws_cloudwatch_log_group: (group) => group.kms_key_id,
      aws_db_instance: (database) => database.storage_encrypted && database.kms_key_id,
      aws_ecr_repository: (repository) => repository.encryption_configuration[0].kms_key,
      aws_elasticache_replication_group: (redis) =>
        redis.at_rest_encryption_enabled === 'true' && redis.kms_key_id,
      aws_imagebuilder_component: (component) => component.kms_key_id,
      aws_imagebuilder_image_recipe: (recipe) => recipe.block_device_mapping[0].ebs.kms_key_id,
      aws_s3_bucket_server_side_encryption_configuration: (bucket) =>
        bucket.rule[0].apply_server_side_encryption_by_default.kms_master_key_id,
      aws_s3_object: (object) => object.kms_key_id,
      aws_secretsmanager_secret: (secret) => secret.kms_key_id,
      aws_sns_topic: (topic) => topic.kms_master_key_id,
      aws_ssm_parameter: (parameter) => parameter.key_id,
    }
    const found = placed(json, ...Object.keys(keys))
    expect(found.length).toBeGreaterThan(10)
    expect(
      found
        .filter(({ type, resource }) => !isCustomerKey(keys[type]!(resource)))
        .map(({ address }) => address),
    ).toEqual([])
    for (const { resource } of placed(json, 'aws_launch_template')) {
      for (const { ebs } of resource.block_device_mappings) {
        expect([ebs.encrypted, isCustomerKey(ebs.kms_key_id)]).toEqual(['true', true])
      }
    }
    expect(placed(json, 'aws_s3_bucket')).toHaveLength(
      placed(json, 'aws_s3_bucket_server_side_encryption_configuration').length,
    )
  })

  test('has keys with a policy, which rotate where they can', () => {
    const keys = placed(json, 'aws_kms_key')
    expect(keys.length).toBeGreaterThan(0)
    expect(
      breaking(
        keys,
        (key) =>
          typeof key.policy === 'string' &&
          key.deletion_window_in_days >= 7 &&
          (key.enable_key_rotation === true || key.key_usage === 'SIGN_VERIFY'),
      ),
    ).toEqual([])
  })

  test('is encrypted in transit', () => {
    expect(
      breaking(
        placed(json, 'aws_elasticache_replication_group'),
        (redis) => redis.transit_encryption_mode === 'required',
      ),
    ).toEqual([])
    expect(
      breaking(placed(json, 'aws_db_parameter_group'), (group) =>
        group.parameter.some((each: Resource) => each.name === 'rds.force_ssl' && each.value === '1'),
      ),
    ).toEqual([])
    for (const { resource } of placed(json, 'aws_s3_bucket_policy', 'aws_sns_topic_policy')) {
      const denied = JSON.parse(resource.policy).Statement.filter(
        ({ Effect }: { Effect: string }) => Effect === 'Deny',
      )
      expect(JSON.stringify(denied)).toContain('"aws:SecureTransport":"false"')
    }
  })

  test('takes connections from everywhere on 80 and 443 of the load balancer alone', () => {
    const open = placed(json, 'aws_vpc_security_group_ingress_rule').filter(({ resource }) =>
      everywhere.includes(resource.cidr_ipv4 ?? resource.cidr_ipv6),
    )
    expect(open.map(({ resource }) => [resource.from_port, resource.to_port]).sort()).toEqual([
      [443, 443],
      [443, 443],
      [80, 80],
      [80, 80],
    ])
    for (const { resource } of open) expect(resource.security_group_id).toMatch(/load-balancer/)
    expect(placed(json, 'aws_default_security_group')).toHaveLength(placed(json, 'aws_vpc').length)
    for (const { resource } of placed(json, 'aws_security_group', 'aws_default_security_group')) {
      expect([resource.ingress, resource.egress]).toEqual([undefined, undefined])
    }
  })

  test('connects to the internet only where there is a reason', () => {
    const open = placed(json, 'aws_vpc_security_group_egress_rule').filter(({ resource }) =>
      everywhere.includes(resource.cidr_ipv4 ?? resource.cidr_ipv6),
    )
    expect(
      breaking(open, (rule) => rule.ip_protocol === 'tcp' && !!reasonFor(rule, 'internet-egress')),
    ).toEqual([])
    if (/^(production|staging)$/.test(_)) expect(open).toEqual([])
  })

  test('says of every rule of a firewall what it is for', () => {
    const rules = placed(
      json,
      'aws_vpc_security_group_ingress_rule',
      'aws_vpc_security_group_egress_rule',
      'aws_security_group',
    )
    expect(
      breaking(rules, (rule) => /^[A-Za-z0-9 ._\-:/()#,@[\]+=&;{}!$*]{3,255}$/.test(rule.description ?? '')),
    ).toEqual([])
  })

  test('allows no wildcard without a written reason', () => {
    const all = statements(json)
    expect(all.length).toBeGreaterThan(15)
    const unexplained = all.filter(
      ({ statement, reason }) =>
        statement.Effect === 'Allow' &&
        !reason &&
        [...listed(statement.Action), ...listed(statement.Resource)].some((text) => text.includes('*')),
    )
    expect(unexplained.map(({ address, statement }) => `${address} ${statement.Sid}`)).toEqual([])
    const toEverybody = all.filter(
      ({ statement }) =>
        statement.Effect === 'Allow' && /"\*"/.test(JSON.stringify(statement.Principal ?? '')),
    )
    expect(toEverybody).toEqual([])
    const allActions = all.filter(
      ({ statement, address }) =>
        statement.Effect === 'Allow' &&
        listed(statement.Action).some((action) => action.includes('*')) &&
        !address.startsWith('aws_kms_key'),
    )
    expect(allActions).toEqual([])
  })

  test('lets services of AWS act for this account alone', () => {
    const unbound = statements(json).filter(
      ({ address, statement }) =>
        JSON.stringify(statement.Principal ?? '').includes('Service') &&
        !/aws:SourceAccount|aws:logs:arn/.test(JSON.stringify(statement.Condition ?? '')) &&
        !/role|profile/.test(address),
    )
    expect(unbound.map(({ address, statement }) => `${address} ${statement.Sid}`)).toEqual([])
  })

  test('protects what holds state from deletion, and backs it up', () => {
    expect(
      breaking(placed(json, 'aws_lb'), (balancer) => balancer.enable_deletion_protection === true),
    ).toEqual([])
    expect(
      breaking(
        placed(json, 'aws_db_instance'),
        (database) =>
          database.deletion_protection === true &&
          database.skip_final_snapshot === false &&
          database.backup_retention_period >= 7 &&
          database.multi_az === true,
      ),
    ).toEqual([])
    expect(
      breaking(
        placed(json, 'aws_elasticache_replication_group'),
        (redis) => redis.snapshot_retention_limit >= 1,
      ),
    ).toEqual([])
    const versioned = placed(json, 'aws_s3_bucket_versioning')
    expect(breaking(versioned, (bucket) => bucket.versioning_configuration.status === 'Enabled')).toEqual([])
    expect(versioned).toHaveLength(placed(json, 'aws_s3_bucket').length)
    expect(breaking(placed(json, 'aws_s3_bucket'), (bucket) => bucket.force_destroy !== true)).toEqual([])
    expect(
      breaking(placed(json, 'aws_eip'), (eip) => eip.lifecycle?.prevent_destroy || /nat/.test(eip.tags.Name)),
    ).toEqual([])
    expect(
      breaking(placed(json, 'aws_secretsmanager_secret'), (secret) => secret.recovery_window_in_days >= 7),
    ).toEqual([])
  })

  test('keeps buckets private', () => {
    const blocks = placed(json, 'aws_s3_bucket_public_access_block')
    expect(blocks).toHaveLength(placed(json, 'aws_s3_bucket').length)
    expect(
      breaking(
        blocks,
        (block) =>
          block.block_public_acls &&
          block.block_public_policy &&
          block.ignore_public_acls &&
          block.restrict_public_buckets,
      ),
    ).toEqual([])
  })

  test('logs: flows, access, slow queries, for a year or more', () => {
    expect(placed(json, 'aws_flow_log')).toHaveLength(placed(json, 'aws_vpc').length)
    expect(breaking(placed(json, 'aws_flow_log'), (log) => log.traffic_type === 'ALL')).toEqual([])
    expect(breaking(placed(json, 'aws_lb'), (balancer) => balancer.access_logs.enabled === true)).toEqual([])
    expect(
      breaking(placed(json, 'aws_cloudwatch_log_group'), (group) => group.retention_in_days >= 365),
    ).toEqual([])
    expect(
      breaking(
        placed(json, 'aws_elasticache_replication_group'),
        (redis) => redis.log_delivery_configuration.length === 2,
      ),
    ).toEqual([])
    expect(
      breaking(
        placed(json, 'aws_db_instance'),
        (database) => database.enabled_cloudwatch_logs_exports.length === 2,
      ),
    ).toEqual([])
  })

  test('takes session tokens of the instance metadata only, and gives nodes no public address', () => {
    const templates = placed(json, 'aws_launch_template')
    expect(templates.length).toBeGreaterThan(0)
    expect(
      breaking(
        templates,
        ({ metadata_options: options }) =>
          options.http_tokens === 'required' && options.http_put_response_hop_limit === 1,
      ),
    ).toEqual([])
    expect(breaking(templates, (template) => !template.key_name && !template.network_interfaces)).toEqual([])
    expect(
      breaking(placed(json, 'aws_subnet'), (subnet) => subnet.map_public_ip_on_launch === false),
    ).toEqual([])
    expect(
      breaking(
        placed(json, 'aws_imagebuilder_infrastructure_configuration'),
        (build) => build.instance_metadata_options.http_tokens === 'required',
      ),
    ).toEqual([])
  })

  test('holds no secret', () => {
    const secret =
      /-----BEGIN [A-Z ]*PRIVATE KEY|AKIA[0-9A-Z]{16}|"(password|auth_token|secret_string|master_password|passwords)":/
    expect(JSON.stringify(json)).not.toMatch(secret)
    for (const { resource } of placed(json, 'aws_launch_template')) {
      const script = gunzipSync(Buffer.from(resource.user_data, 'base64')).toString()
      expect(script).not.toMatch(secret)
      expect(script).toContain('gateway-service')
    }
  })

  test('tags all, and what its groups launch', () => {
    const withoutDefaults = placed(json, 'aws_autoscaling_group', 'aws_launch_template')
    for (const { resource, type } of withoutDefaults) {
      const tags: string[] =
        type === 'aws_autoscaling_group'
          ? resource.tag.map(({ key }: { key: string }) => key)
          : Object.keys(resource.tag_specifications[0].tags)
      expect(tags).toEqual(expect.arrayContaining(['team', 'Name']))
    }
    const tagged = placed(json).filter(({ resource }) => resource.tags)
    expect(tagged.length).toBeGreaterThan(60)
    expect(breaking(tagged, ({ tags }) => tags.team === 'platform')).toEqual([])
  })

  test('writes a reason beside each rule that it leaves open', () => {
    for (const { resource } of placed(json)) {
      for (const [rule, reason] of Object.entries(resource['//']?.accepted ?? {})) {
        expect(Object.keys(acceptedRules)).toContain(rule)
        expect((reason as string).length).toBeGreaterThan(20)
      }
    }
    const unexplained = placed(json, 'aws_s3_bucket', 'aws_lb', 'aws_secretsmanager_secret').filter(
      ({ resource }) => !resource['//']?.accepted,
    )
    expect(unexplained).toEqual([])
  })
})

test('the scanners are told of the same rules as the constructs accept, and of no others', () => {
  const folder = join(import.meta.dirname, '../../../deploy/scanners')
  const ids = (file: string, pattern: RegExp) =>
    [...readFileSync(join(folder, file), 'utf8').matchAll(pattern)].map(([, id]) => id!).sort()
  const accepted: string[] = Object.values(acceptedRules).flat().sort()
  expect(ids('checkov.yaml', /^ {2}- (CKV\S+) # .{20,}/gm)).toEqual(
    accepted.filter((id) => id.startsWith('CKV')),
  )
  expect(ids('trivyignore.yaml', /^ {2}- id: (AWS\S+)\n {4}statement: .{20,}/gm)).toEqual(
    accepted.filter((id) => id.startsWith('AWS')),
  )
})
