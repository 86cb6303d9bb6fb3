import { gunzipSync } from 'node:zlib'
import { describe, expect, test } from '@jest/globals'
import { ConstructError, Gateway, type GatewayProps } from '../../../constructs/index.ts'
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
    expect(all(json, 'aws_nat_gateway')).toHaveLength(3)
    expect(all(json, 'aws_internet_gateway')).toHaveLength(1)
  })

  test('gives data subnets no route out, and private ones that of their own zone', () => {
    const routes = all(json, 'aws_route')
    expect(routes).toHaveLength(4)
    expect(routes.filter((route) => route.gateway_id)).toHaveLength(1)
    expect(new Set(routes.map((route) => route.nat_gateway_id).filter(Boolean)).size).toBe(3)
    expect(all(json, 'aws_route_table')).toHaveLength(7)
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
        id.includes('data') ? [] : [expect.stringMatching(/^aws_route\./)],
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
        health_check: { protocol: 'HTTP', port: '9090', path: '/readyz', matcher: '200' },
      })
    }
  })

  test('follows the ports of the listeners', () => {
    const other = gateway({ ingressPorts: [8443] })
    expect(all(other, 'aws_lb_listener').map(({ port }) => port)).toEqual([8443])
    expect(rule(all(other, 'aws_vpc_security_group_ingress_rule'), 443)).toEqual([])
    expect(rule(all(other, 'aws_vpc_security_group_ingress_rule'), 8443)).toHaveLength(2)
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
    expect(userData(managed)).toContain('-A INPUT -s 10.9.0.0/16 -p tcp --dport 22 -j ACCEPT')
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
    })
    expect(template.block_device_mappings.map((device: Resource) => device.ebs.encrypted)).toEqual([
      'true',
      'true',
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
    expect(group.launch_template.version).toMatch(
      /^\$\{aws_launch_template\.[A-Za-z0-9_-]+\.latest_version\}$/,
    )
    expect(group.instance_refresh).toMatchObject({
      strategy: 'Rolling',
      preferences: { auto_rollback: true },
    })
  })

  test('gives nodes Session Manager and their Redis, and nothing else', () => {
    expect(all(json, 'aws_iam_role_policy_attachment').map((each) => each.policy_arn)).toEqual([
      'arn:aws:iam::aws:policy/AmazonSSMManagedInstanceCore',
    ])
    const policy = only(json, 'aws_iam_role_policy').policy as string
    expect(policy.match(/"Action" = "[^"]*"/g)).toEqual(['"Action" = "elasticache:Connect"'])
    expect(policy).toMatch(/aws_elasticache_replication_group\.[^,]*\.arn.*aws_elasticache_user\..*\.arn/)
    expect(policy).not.toContain('*')
  })

  test('delivers the bootstrap with the configuration as user data', () => {
    expect(userData(json)).toContain("put_file '/etc/gateway/config.yaml' 0640 gateway:gateway")
    expect(userData(json)).toContain('workers: auto')
    expect(userData(json)).toContain('-A INPUT -s 10.20.0.0/16 -p tcp --dport 9090 -j ACCEPT')
  })

  test('looks the image up by architecture', () => {
    const image = (changes: Partial<GatewayProps>) =>
      Object.values(gateway(changes).data?.aws_ami ?? {})[0]?.filter[0].values[0]
    expect(image({ instanceType: 'c7i.xlarge' })).toBe('debian-13-amd64-*')
    expect(image({ instanceType: 'c7g.xlarge' })).toBe('debian-13-arm64-*')
    expect(image({ instanceType: 'g4dn.xlarge' })).toBe('debian-13-amd64-*')
    expect(image({ imageId: 'ami-0123456789abcdef0' })).toBeUndefined()
  })

  test('has an alias record for each domain', () => {
    expect(all(json, 'aws_route53_record').map((record) => [record.type, record.name])).toEqual([
      ['A', 'api.example.com'],
      ['A', 'example.com'],
    ])
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
    ['redisReplicas', 9, 'stack/gateway/redis: replicas: expected 1 to 5, got 9'],
    ['maxNodes', 2, 'stack/gateway/fleet: maxNodes: expected 3 (minNodes) or more, got 2'],
    [
      'imageId',
      'debian',
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

  test('refuses user data past what EC2 takes, and says which file is large', () => {
    let seed = 1
    const noise = Array.from({ length: 40_000 }, () => {
      seed = (seed * 48_271) % 2_147_483_647
      return (seed % 36).toString(36)
    }).join('')
    const error = failure({ configuration: { ...props.configuration, 'services.yaml': `# ${noise}` } })
    expect(error.message).toMatch(
      /user data: expected at most 16384 bytes after gzip, got \d+.*\/etc\/gateway\/services\.yaml/,
    )
  })
})

const userData = (json: Synthesized) =>
  gunzipSync(Buffer.from(only(json, 'aws_launch_template').user_data, 'base64')).toString()
