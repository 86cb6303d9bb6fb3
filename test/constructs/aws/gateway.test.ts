import { gunzipSync } from 'node:zlib'
import { describe, expect, test } from '@jest/globals'
import {
  ConstructError,
  Gateway,
  type GatewayProps,
  type NodeFleetProps,
  renderHostBootstrap,
} from '../../../constructs/index.ts'
import { all, danglingReferences, only, type Resource, type Synthesized, synthesize } from '../synthesized.ts'

const zones = ['eu-central-1a', 'eu-central-1b', 'eu-central-1c']
const props: GatewayProps = {
  name: 'gatehouse-test',
  zones,
  cidr: '10.20.0.0/16',
  configuration: { 'config.yaml': 'workers: auto\n', 'services.yaml': 'services: []\n' },
  dnsZone: 'example.com',
  domains: ['api.example.com', 'example.com'],
  tags: { team: 'platform' },
}

const gateway = (changes: Partial<GatewayProps> = {}) =>
  synthesize((stack) => new Gateway(stack, 'gateway', { ...props, ...changes }))
const failure = (changes: Partial<GatewayProps>) => {
  try {
    gateway(changes)
  } catch (error) {
    return error as ConstructError
  }
  throw new Error('expected an error')
}
const ids = (json: Synthesized) =>
  Object.entries(json.resource).flatMap(([type, resources]) =>
    Object.keys(resources).map((id) => `${type}.${id}`),
  )
const { files } = renderHostBootstrap({ configuration: {}, aws: { followConfiguration: true } })
const rule = (rules: Resource[], port: number) => rules.filter((each) => each.from_port === port)

describe('Gateway', () => {
  const json = gateway()

  test('refers to nothing that the stack does not have', () => {
    expect(danglingReferences(json)).toEqual([])
  })

  test('has three subnets and a NAT gateway in each of three zones', () => {
    const subnets = all(json, 'aws_subnet')
    expect(subnets.map((subnet) => subnet.availability_zone).sort()).toEqual(
      zones.flatMap((zone) => [zone, zone, zone]),
    )
    expect(new Set(subnets.map((subnet) => subnet.cidr_block)).size).toBe(9)
    expect(subnets.every((subnet) => subnet.map_public_ip_on_launch === false)).toBe(true)
    expect(subnets.every((subnet) => subnet.assign_ipv6_address_on_creation === true)).toBe(true)
    expect(new Set(subnets.map((subnet) => subnet.ipv6_cidr_block)).size).toBe(9)
    expect(all(json, 'aws_nat_gateway')).toHaveLength(3)
    expect(all(json, 'aws_internet_gateway')).toHaveLength(1)
  })

  test('gives data subnets no route out, and private ones that of their own zone', () => {
    const routes = all(json, 'aws_route')
    expect(routes).toHaveLength(8)
    expect(routes.filter((route) => route.gateway_id)).toHaveLength(2)
    expect(routes.filter((route) => route.egress_only_gateway_id)).toHaveLength(3)
    expect(new Set(routes.map((route) => route.nat_gateway_id).filter(Boolean)).size).toBe(3)
    expect(all(json, 'aws_route_table')).toHaveLength(7)
    expect(all(gateway({ parts: { network: { nat: 'none' } } }), 'aws_route')).toHaveLength(2)
  })

  test('makes what stands in a subnet wait for the routes of the subnet', () => {
    expect(only(json, 'aws_autoscaling_group').vpc_zone_identifier).toEqual(
      zones.map(() =>
        expect.stringMatching(/^\$\{aws_route_table_association\..*private-association.*\.subnet_id\}$/),
      ),
    )
    const associations = Object.entries(json.resource.aws_route_table_association!)
    for (const [id, association] of associations) {
      expect([id, association.depends_on ?? []]).toEqual([
        id,
        id.includes('data')
          ? []
          : [expect.stringMatching(/^aws_route\./), expect.stringMatching(/^aws_route\..*ipv6/)],
      ])
    }
  })

  test('puts a network load balancer on an Elastic IP a zone, and lets the client address through', () => {
    const balancer = only(json, 'aws_lb')
    expect(balancer).toMatchObject({ load_balancer_type: 'network', enable_deletion_protection: true })
    expect(balancer.name.length).toBeLessThanOrEqual(32)
    expect(balancer.subnet_mapping).toHaveLength(3)
    expect(new Set(balancer.subnet_mapping.map((mapping: Resource) => mapping.allocation_id)).size).toBe(3)
    expect(
      all(json, 'aws_lb_listener')
        .map(({ port, protocol }) => `${protocol} ${port}`)
        .sort(),
    ).toEqual(['TCP 443', 'TCP 80'])
    for (const targets of all(json, 'aws_lb_target_group')) {
      expect(targets).toMatchObject({
        protocol: 'TCP',
        preserve_client_ip: 'true',
        connection_termination: true,
        health_check: { protocol: 'HTTP', port: '9090', path: '/readyz', matcher: '200' },
      })
    }
  })

  test('follows the ports of the listeners', () => {
    const other = gateway({ ingressPorts: [8443] })
    expect(all(other, 'aws_lb_listener').map(({ port }) => port)).toEqual([8443])
    const https = rule(all(other, 'aws_vpc_security_group_ingress_rule'), 443)
    expect(https.map((each) => each.description)).toEqual(['What stands in the VPC calls AWS'])
    expect(rule(all(other, 'aws_vpc_security_group_ingress_rule'), 8443)).toHaveLength(3)
  })

  test('lets into nodes only the load balancer, and its health checks from the VPC', () => {
    const nodes = ids(json).find((id) => /^aws_security_group\..*fleet/.test(id))
    const into = all(json, 'aws_vpc_security_group_ingress_rule').filter(
      (each) => each.security_group_id === `\${${nodes}.id}`,
    )
    expect(into.map((each) => [each.from_port, each.cidr_ipv4 ?? 'load balancer'])).toEqual(
      expect.arrayContaining([
        [80, 'load balancer'],
        [443, 'load balancer'],
        [9090, 'load balancer'],
        [9090, '10.20.0.0/16'],
      ]),
    )
    expect(into).toHaveLength(4)
  })

  test('lets management networks reach SSH and the admin API of nodes, on both firewalls', () => {
    const managed = gateway({ managementNetworks: ['10.9.0.0/16', 'fd00::/8'] })
    const into = all(managed, 'aws_vpc_security_group_ingress_rule')
    expect(rule(into, 22).map((each) => each.cidr_ipv4 ?? each.cidr_ipv6)).toEqual([
      '10.9.0.0/16',
      'fd00::/8',
    ])
    expect(rule(into, 8444)).toHaveLength(2)
    expect(userData(managed)).toContain('-A GATEWAY -s 10.9.0.0/16 -p tcp --dport 22 -j ACCEPT')
  })

  test('runs Redis in cluster mode with failover, encrypted, without a password, reached by nodes alone', () => {
    expect(only(json, 'aws_elasticache_replication_group')).toMatchObject({
      num_node_groups: 3,
      replicas_per_node_group: 2,
      automatic_failover_enabled: true,
      multi_az_enabled: true,
      transit_encryption_enabled: true,
      transit_encryption_mode: 'required',
      at_rest_encryption_enabled: 'true',
      kms_key_id: expect.stringMatching(/^\$\{aws_kms_key\./),
    })
    expect(only(json, 'aws_kms_key').enable_key_rotation).toBe(true)
    expect(JSON.stringify(json.resource)).not.toMatch(/auth_token|"passwords"/)
    const into = rule(all(json, 'aws_vpc_security_group_ingress_rule'), 6379)
    expect(into).toHaveLength(1)
    expect(into[0]!.description).toBe('Gateway nodes use redis')
    expect(into[0]!.referenced_security_group_id).toMatch(/fleet/)
    const users = Object.fromEntries(all(json, 'aws_elasticache_user').map((user) => [user.user_name, user]))
    expect(Object.keys(users).sort()).toEqual(['default', 'gatehouse-test-node'])
    expect(users['gatehouse-test-node']!.authentication_mode).toEqual({ type: 'iam' })
    expect(users.default!.access_string).toBe('off ~* -@all')
  })

  test('launches nodes that take session tokens only, on encrypted volumes', () => {
    const template = only(json, 'aws_launch_template')
    expect(template.metadata_options).toEqual({
      http_endpoint: 'enabled',
      http_tokens: 'required',
      http_put_response_hop_limit: 1,
      instance_metadata_tags: 'enabled',
    })
    const devices = template.block_device_mappings.map((device: Resource) => device.ebs)
    expect(devices).toEqual([
      expect.objectContaining({ encrypted: 'true', kms_key_id: expect.stringMatching(/^\$\{aws_kms_key\./) }),
    ])
    expect(template.tag_specifications.map((each: Resource) => [each.resource_type, each.tags.team])).toEqual(
      [
        ['instance', 'platform'],
        ['volume', 'platform'],
        ['network-interface', 'platform'],
      ],
    )
    expect(template.vpc_security_group_ids).toHaveLength(1)
  })

  test('spreads nodes over the zones, and rolls a new template through them', () => {
    const group = only(json, 'aws_autoscaling_group')
    expect(group).toMatchObject({ min_size: 3, max_size: 12, health_check_type: 'ELB' })
    expect(group.target_group_arns).toHaveLength(2)
    const { launch_template: launched } = group.mixed_instances_policy
    expect(launched.launch_template_specification.version).toMatch(
      /^\$\{aws_launch_template\.[A-Za-z0-9_-]+\.latest_version\}$/,
    )
    expect(launched.override).toEqual([{ instance_type: 'c7gd.xlarge' }, { instance_type: 'c6gd.xlarge' }])
    expect(group.instance_refresh).toMatchObject({
      strategy: 'Rolling',
      preferences: {
        auto_rollback: true,
        skip_matching: true,
        checkpoint_percentages: [20, 50, 100],
        alarm_specification: {
          alarms: [expect.stringContaining('errors'), expect.stringContaining('latency')],
        },
      },
    })
  })

  test('lets a node join when it is ready, and leave when it is drained', () => {
    expect(only(json, 'aws_autoscaling_group').initial_lifecycle_hook).toEqual([
      expect.objectContaining({ name: 'ready', default_result: 'ABANDON' }),
    ])
    expect(only(json, 'aws_autoscaling_lifecycle_hook')).toMatchObject({
      name: 'drained',
      default_result: 'CONTINUE',
    })
  })

  test('keeps a fleet at its CPU and at its requests', () => {
    const targets = all(json, 'aws_autoscaling_policy').map((policy) => policy.target_tracking_configuration)
    expect(targets.map((target) => target.target_value)).toEqual([50, 300_000])
    expect(targets[1]!.customized_metric_specification.metrics.map((metric: Resource) => metric.id)).toEqual([
      'requests',
      'nodes',
      'each',
    ])
  })

  test('gives nodes what they use of AWS, by its ARN', () => {
    const policies = all(json, 'aws_iam_role_policy').map((each) => JSON.parse(each.policy))
    const node = policies.find(({ Statement }) => Statement[0].Sid === 'SessionManager')
    expect(node.Statement.map(({ Sid }: { Sid: string }) => Sid)).toEqual([
      'SessionManager',
      'CompleteLifecycle',
      'SendMetrics',
      'ReadConfiguration',
      'DecryptConfiguration',
      'ReadCertificates',
      'DecryptCertificates',
      'ShipLogs',
      'ConfigureAgent',
      'DecryptAgent',
      'ConnectRedis',
    ])
    const connect = node.Statement.find(({ Sid }: { Sid: string }) => Sid === 'ConnectRedis')
    expect(connect.Resource).toEqual([
      expect.stringMatching(/aws_elasticache_replication_group\..*\.arn/),
      expect.stringMatching(/aws_elasticache_user\..*\.arn/),
    ])
  })

  test('delivers the configuration by a bucket, so that a new route replaces no node', () => {
    const changed = gateway({
      configuration: { ...props.configuration, 'services.yaml': 'services: [] # new\n' },
    })
    expect(only(changed, 'aws_launch_template')).toEqual(only(json, 'aws_launch_template'))
    expect(all(changed, 'aws_s3_object')).not.toEqual(all(json, 'aws_s3_object'))
    expect(userData(json)).not.toContain('workers: auto')
    expect(userData(json)).toContain('gateway-aws fetch')
    expect(userData(json)).toContain('-A GATEWAY -s 10.20.0.0/16 -p tcp --dport 9090 -j ACCEPT')
    const objects = all(json, 'aws_s3_object')
    expect(objects.map((object) => [object.content_type, object.server_side_encryption])).toEqual(
      objects.map(() => ['text/plain; charset=utf-8', 'aws:kms']),
    )
    const manifest = objects.find((object) => object.key === 'current')!
    expect(manifest.content).toMatch(
      /^[0-9a-f]{64} {2}config\.yaml\n\$\{sha256\(.+\)\} {2}gatehouse-redis\.yaml\n[0-9a-f]{64} {2}services\.yaml\n$/,
    )
  })

  test('tells nodes where Redis is and that they show it their role, in what they follow', () => {
    const files = (synthesized: Synthesized) =>
      all(synthesized, 'aws_s3_object').filter(({ content }) => /^redis:/m.test(String(content)))
    const [file] = files(json)
    expect(file?.content).toMatch(
      /redis: \{ cluster: \['\$\{aws_elasticache_replication_group\.\w+\.configuration_endpoint_address\}:6379'\], username: gatehouse-test-node, aws_iam: \{ cache: gatehouse-test, region: '\$\{.+\}' \}, tls: \{\} \}/,
    )
    expect(file?.key).toMatch(/^files\/\$\{sha256\(.+\)\}-gatehouse-redis\.yaml$/)
    const own = { 'config.yaml': 'redis: { cluster: [10.0.0.1] }\n' }
    expect(files(gateway({ configuration: own })).map(({ content }) => content)).toEqual([own['config.yaml']])
  })

  test('has nodes share the certificates that they get, encrypted by the key that they may use', () => {
    const files = (synthesized: Synthesized) =>
      all(synthesized, 'aws_s3_object').flatMap(({ content }) =>
        /^certificate_store:/m.test(String(content)) ? String(content) : [],
      )
    expect(files(json)).toEqual([]) // somebody puts them into secrets
    const acme = gateway({ certificates: 'acme' })
    const [arn] = /\$\{aws_kms_key\.\w+\.arn\}/.exec(files(acme).join())!
    expect(files(acme)).toEqual([expect.stringContaining(`{ kind: redis, kms: { key: '${arn}' } }`)])
    const statements = all(acme, 'aws_iam_role_policy').flatMap(({ policy }) => JSON.parse(policy).Statement)
    for (const action of ['kms:Decrypt', 'kms:GenerateDataKey'])
      expect(statements).toContainEqual(expect.objectContaining({ Action: [action], Resource: [arn] }))
    const own = { 'config.yaml': 'certificate_store: { kind: file }\n' }
    expect(files(gateway({ certificates: 'acme', configuration: own }))).toEqual([own['config.yaml']])
  })

  test('looks the image up by architecture', () => {
    const image = (fleet: Partial<NodeFleetProps>) =>
      Object.values(gateway({ parts: { fleet } }).data?.aws_ami ?? {})[0]?.filter[0].values[0]
    expect(image({ instanceTypes: ['c7i.xlarge'] })).toBe('debian-13-amd64-*')
    expect(image({ instanceTypes: ['c7g.xlarge'] })).toBe('debian-13-arm64-*')
    expect(image({ instanceTypes: ['g4dn.xlarge'] })).toBe('debian-13-amd64-*')
    expect(image({ imageId: 'ami-0123456789abcdef0' })).toBeUndefined()
  })

  test('has an alias record for each domain', () => {
    expect(
      all(json, 'aws_route53_record')
        .map((record) => `${record.type} ${record.name}`)
        .sort(),
    ).toEqual(['A api.example.com', 'A example.com', 'AAAA api.example.com', 'AAAA example.com'])
  })

  test('keeps every id and subnet when zones and domains are reordered', () => {
    const reordered = gateway({ zones: zones.toReversed(), domains: props.domains.toReversed() })
    expect(ids(reordered).sort()).toEqual(ids(json).sort())
    expect(reordered.resource.aws_subnet).toEqual(json.resource.aws_subnet)
  })

  test('keeps what there is when a zone and a domain are added', () => {
    const grown = gateway({
      zones: ['eu-central-1d', ...zones],
      domains: ['new.example.com', ...props.domains],
    })
    expect(ids(grown)).toEqual(expect.arrayContaining(ids(json)))
    expect(grown.resource.aws_subnet).toMatchObject(json.resource.aws_subnet!)
  })

  test('sends a percentage of connections to a second fleet', () => {
    const both = gateway({ green: { percent: 10, imageId: 'ami-0123456789abcdef0' } })
    expect(all(both, 'aws_autoscaling_group').map((group) => group.name)).toEqual([
      'gatehouse-test',
      'gatehouse-test-green',
    ])
    const [listener] = all(both, 'aws_lb_listener')
    expect(listener!.default_action[0].forward.target_group.map((group: Resource) => group.weight)).toEqual([
      90, 10,
    ])
    expect(ids(both)).toEqual(expect.arrayContaining(ids(json)))
    expect(danglingReferences(both)).toEqual([])
    const promoted = gateway({ green: { percent: 100, imageId: 'ami-0123456789abcdef0' } })
    expect(promoted.resource.aws_autoscaling_group).toEqual(both.resource.aws_autoscaling_group)
  })

  test('has a database, an image and a budget where they are asked for', () => {
    const whole = gateway({
      certificates: 'acme',
      parts: {
        database: {},
        image: { packagePath: import.meta.filename },
        budget: { monthlyLimit: 2000, tag: { key: 'project', value: 'gatehouse' } },
      },
    })
    expect(danglingReferences(whole)).toEqual([])
    expect(only(whole, 'aws_db_instance')).toMatchObject({
      multi_az: true,
      storage_encrypted: true,
      iam_database_authentication_enabled: true,
      manage_master_user_password: true,
      iops: 12_000,
      backup_retention_period: 14,
      deletion_protection: true,
    })
    expect(only(whole, 'aws_launch_template').image_id).toMatch(
      /^\$\{one\(\[for ami in aws_imagebuilder_image\./,
    )
    expect(only(whole, 'aws_imagebuilder_component').data).toContain('/readyz')
    expect(only(whole, 'aws_budgets_budget').limit_amount).toBe('2000.00')
    expect(JSON.stringify(whole.resource)).toContain('_acme-challenge.api.example.com')
  })

  test('watches the end of certificates where nodes send it', () => {
    const alarms = all(json, 'aws_cloudwatch_metric_alarm').filter(
      (alarm) => alarm.metric_name === 'CertificateDaysLeft',
    )
    expect(alarms.map(({ namespace, threshold }) => [namespace, threshold]).sort()).toEqual([
      ['Gatehouse/gatehouse-test', 21],
      ['Gatehouse/gatehouse-test', 7],
    ])
    expect(files.find(({ path }) => path.endsWith('gateway-aws'))!.content).toContain(
      'Namespace=Gatehouse/$name',
    )
  })

  test('gives roles a boundary, and everything its tags', () => {
    const bound = gateway({ permissionsBoundary: 'arn:aws:iam::123456789012:policy/boundary' })
    expect(all(bound, 'aws_iam_role').map((role) => role.permissions_boundary)).toEqual(
      all(bound, 'aws_iam_role').map(() => 'arn:aws:iam::123456789012:policy/boundary'),
    )
    expect(only(bound, 'aws_vpc').tags).toEqual({ team: 'platform', Name: 'gatehouse-test' })
  })

  test.each<[keyof GatewayProps, unknown, string]>([
    ['cidr', '10.0.0.0/30', 'stack/gateway/network: expected a network from /16 to /23, got 10.0.0.0/30'],
    ['zones', [], 'stack/gateway/network: zones: expected at least one, got none'],
    [
      'zones',
      ['eu-central-1a', 'moon-1'],
      'stack/gateway/network: zones: expected such as eu-central-1a, got "moon-1"',
    ],
    [
      'zones',
      ['eu-central-1a'],
      'stack/gateway/redis: network: expected two zones or more for failover, got 1',
    ],
    ['parts', { redis: { replicas: 9 } }, 'stack/gateway/redis: replicas: expected 1 to 5, got 9'],
    [
      'parts',
      { fleet: { maxNodes: 2 } },
      'stack/gateway/fleet: maxNodes: expected 3 (minNodes) or more, got 2',
    ],
    [
      'parts',
      { fleet: { instanceTypes: ['c7gd.xlarge', 'c6id.xlarge'] } },
      'stack/gateway/fleet: instanceTypes: expected one architecture, since there is one image, got arm64 and amd64',
    ],
    [
      'parts',
      { fleet: { warmPool: { minSize: 1 } } },
      'stack/gateway/fleet: warmPool: expected one instance type',
    ],
    [
      'parts',
      { fleet: { instanceTypes: ['c7gd.xlarge'], warmPool: { minSize: 1 } } },
      'stack/gateway/fleet: warmPool: expected LogVolume.gp3() with it',
    ],
    [
      'parts',
      { redis: { maintenanceWindow: 'sun:02:00-sun:02:30' } },
      'maintenanceWindow: expected an hour to a day',
    ],
    [
      'parts',
      { image: { packagePath: '/nowhere.deb' } },
      "ENOENT: no such file or directory, open '/nowhere.deb'",
    ],
    ['tags', { 'cost center': '1' }, 'stack/gateway/fleet: tags: expected keys of 1 to 128 letters'],
    ['parts', { alerts: { page: ['nobody'] } }, 'expected an e-mail or https address, got "nobody"'],
    [
      'parts',
      { dns: { routing: { policy: 'failover', role: 'primary' }, checkedAddresses: {} } },
      'it could never fail over',
    ],
    [
      'parts',
      { fleet: { imageId: 'debian' } },
      'stack/gateway/fleet: imageId: expected such as ami-0123456789abcdef0, got "debian"',
    ],
    [
      'domains',
      ['api.other.org'],
      'stack/gateway/dns: domains: expected names in example.com, got "api.other.org"',
    ],
    ['domains', ['a.example.com', 'a.example.com'], 'expected each once'],
    ['ingressPorts', [0], 'stack/gateway/load-balancer: ports: expected 1 to 65535, got 0'],
    [
      'managementNetworks',
      ['10.0.0.0/8; reboot'],
      'stack/gateway/fleet: host bootstrap: managementNetworks: expected a network',
    ],
  ])('refuses %s %j', (key, value, message) => {
    const error = failure({ [key]: value })
    expect(error).toBeInstanceOf(ConstructError)
    expect(error.message).toContain(message)
  })
})

const userData = (json: Synthesized) =>
  gunzipSync(Buffer.from(only(json, 'aws_launch_template').user_data, 'base64')).toString()
