import { createHash } from 'node:crypto'
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { inflateRawSync } from 'node:zlib'
import { describe, expect, test } from '@jest/globals'
import { describeHosts } from '../../../constructs/hosts/cluster.ts'
import { type ClusterProps, clusterProblems, HostsGateway } from '../../../constructs/index.ts'
import { type Resource, synthesize } from '../synthesized.ts'
import { terraformFolder, terraformTest } from '../terraform.ts'

const hostKey = 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIDr2FZmL1d4T0sWkZP1uIZr2Qy4gE1t8pJ5Q3mB7vN0c'
const host = (name: string, octet: number, ...roles: ('edge' | 'gateway' | 'redis')[]) => ({
  name,
  address: `192.0.2.${octet}`,
  hostKey,
  roles,
})
const edges = [host('edge-1', 1, 'edge'), host('edge-2', 2, 'edge')]
const gateways = [host('gateway-1', 11, 'gateway'), host('gateway-2', 12, 'gateway')]
const redis = [21, 22, 23].map((octet) => host(`redis-${octet}`, octet, 'redis'))
const cluster: ClusterProps = {
  hosts: [...edges, ...gateways, ...redis],
  host: {
    configuration: { 'config.yaml': 'workers: 1\n' },
    ingressPorts: [443],
    managementNetworks: ['192.0.2.0/24'],
  },
  edge: { virtualIps: [{ address: '192.0.2.100' }, { address: '192.0.2.101' }] },
}
const named = (changes: Partial<ClusterProps> = {}) =>
  new Map(describeHosts({ ...cluster, ...changes }).map(({ name, description }) => [name, description]))

describe('a cluster of hosts', () => {
  test('is set up from Redis over gateways to edges', () => {
    expect([...named().keys()]).toEqual([
      ...redis.map(({ name }) => name),
      ...gateways.map(({ name }) => name),
      ...edges.map(({ name }) => name),
    ])
  })

  test('has a first choice of its own for each virtual IP', () => {
    const priorities = (name: string) =>
      named()
        .get(name)!
        .edge!.virtualIps.map(({ priority }) => priority)
    expect(priorities('edge-1')).toEqual([200, 190])
    expect(priorities('edge-2')).toEqual([190, 200])
    expect(named().get('edge-1')!.edge!.peers).toEqual(['192.0.2.2'])
  })

  test.each([3, 4, 5, 6])('has six servers of Redis on %i hosts, made a cluster by the last', (count) => {
    const some = [21, 22, 23, 24, 25, 26].slice(0, count).map((octet) => host(`r-${octet}`, octet, 'redis'))
    const descriptions = [...named({ hosts: [...gateways, ...some] }).values()].flatMap(
      ({ redis }) => redis ?? [],
    )
    expect(descriptions.flatMap(({ ports }) => ports)).toHaveLength(6)
    expect(new Set(descriptions.map(({ servers }) => JSON.stringify(servers))).size).toBe(1)
    const servers = descriptions[0]!.servers.map(({ address, port }) => `${address}:${port}`)
    expect(new Set(servers).size).toBe(6)
    expect(descriptions.map(({ makesCluster }) => makesCluster).filter(Boolean)).toEqual([true])
    expect(descriptions.at(-1)!.makesCluster).toBe(true)
  })

  test('leads gateways to Redis, and clients to gateways by edges alone', () => {
    const gateway = named().get('gateway-1')!
    expect(gateway.edges).toEqual(['192.0.2.1', '192.0.2.2'])
    expect(gateway.configuration!['gatehouse-redis.yaml']).toContain("'192.0.2.23:6380'")
    expect(named({ hosts: gateways }).get('gateway-1')).toEqual(cluster.host)
  })

  test.each<[string, Partial<ClusterProps>, string]>([
    ['no gateway', { hosts: [...edges] }, 'expected a host with the role gateway, got none'],
    ['one edge', { hosts: [edges[0]!, ...gateways] }, 'expected two hosts with the role edge, got one'],
    ['two hosts of Redis', { hosts: [...edges, ...gateways, ...redis.slice(1)] }, 'expected 3 to 6 hosts'],
    ['nothing that edges hold', { edge: { virtualIps: [] } }, 'expected edge.virtual_ips'],
    ['nobody who holds it', { hosts: gateways }, 'nobody would hold the virtual IPs'],
    [
      'a name',
      { hosts: [...cluster.hosts, { ...host('x', 9, 'gateway'), address: 'x.example.com' }] },
      'x: expected an IP address',
    ],
    [
      'another family',
      { hosts: [...cluster.hosts, { ...host('x', 9, 'gateway'), address: 'fd00::1' }] },
      'x: expected an IPv4 address',
    ],
    [
      'an address twice',
      { hosts: [...cluster.hosts, host('x', 1, 'gateway')] },
      'expected an address of its own',
    ],
    [
      'the address of a host',
      { edge: { virtualIps: [{ address: '192.0.2.1' }] } },
      'expected an address that nothing else has, got 192.0.2.1',
    ],
    [
      'two that listen on one port',
      { hosts: [edges[0]!, host('both', 2, 'edge', 'gateway')] },
      'both: edge and gateway would both listen on 443',
    ],
    [
      'a port that no listener has',
      { edge: { ...cluster.edge!, ports: [{ port: 443, gatewayPort: 8443 }] } },
      'expected a port that a listener has (443), got 8443',
    ],
  ])('is refused with %s', (_, changes, message) => {
    const problems = clusterProblems({ ...cluster, ...changes }).map((problem) => problem.message)
    expect(problems).toEqual([expect.stringContaining(message)])
  })

  test('may have edge and gateway on one host where their ports differ', () => {
    const both = [host('one', 1, 'edge', 'gateway'), host('two', 2, 'edge', 'gateway')]
    const edge = { ...cluster.edge!, ports: [{ port: 443, gatewayPort: 8443 }] }
    expect(clusterProblems({ hosts: both, edge, host: { ...cluster.host, ingressPorts: [8443] } })).toEqual(
      [],
    )
  })

  terraformTest('keeps the secret out of state, plan and output, and gives each host its own', () => {
    const secret = 'do-not-show-0123456789-abcdefghijkl'
    const stack = synthesize((scope) => new HostsGateway(scope, 'gateway', cluster))
    // Only what reaches a host is replaced: its files are written here.
    for (const [id, resource] of Object.entries<Resource>(stack.resource.terraform_data!)) {
      if (id.includes('_leave')) continue
      const name = resource.triggers_replace.address
      const provisioner = (resource.provisioner as Resource[]).map(({ file }) => ({
        'local-exec': file
          ? {
              command: `printf %s "$CONTENT" >"$HOST-\${basename("${file.destination}")}"`,
              environment: { CONTENT: file.content, HOST: name },
            }
          : { command: ':' },
      }))
      Object.assign(resource, { provisioner })
    }
    const folder = terraformFolder(stack)
    const path = (name: string) => join(folder.directory, name)
    const previous = process.env.TF_VAR_redis_secret
    try {
      process.env.TF_VAR_redis_secret = 'too short'
      expect(folder.run('init', '-input=false').status).toBe(0)
      expect(folder.run('plan', '-input=false', '-no-color').stderr).toContain(
        'Expected 32 characters at least',
      )
      process.env.TF_VAR_redis_secret = secret
      const outputs = [
        folder.run('plan', '-input=false', '-out=plan'),
        folder.run('show', '-json', 'plan'),
        folder.run('apply', '-input=false', '-auto-approve'),
        folder.run('show', '-json'),
      ]
      expect(outputs.map(({ status }) => status)).toEqual([0, 0, 0, 0])
      const passwordOf = (name: string) => createHash('sha256').update(`${name}:${secret}`).digest('hex')
      const read = (name: string) => readFileSync(path(name), 'utf8')
      expect(read('192.0.2.11-redis-gateway')).toBe(passwordOf('redis-gateway'))
      expect(read('192.0.2.21-redis-cluster')).toBe(passwordOf('redis-cluster'))
      expect(existsSync(path('192.0.2.11-redis-cluster'))).toBe(false)
      expect(readdirSync(folder.directory).filter((file) => file.startsWith('192.0.2.1-redis'))).toEqual([])

      writeFileSync(path('unpacked'), unzip(path('plan')))
      const kept = ['terraform.tfstate', 'unpacked', 'cdk.tf.json', '192.0.2.11-.gateway-bootstrap.sh'].map(
        read,
      )
      for (const text of [...kept, ...outputs.flatMap(({ stdout, stderr }) => [stdout, stderr])]) {
        for (const secretText of [secret, passwordOf('redis-gateway'), passwordOf('redis-cluster')]) {
          expect(text.includes(secretText)).toBe(false)
        }
      }
      expect(kept[1]).toContain('triggers_replace')
    } finally {
      if (previous === undefined) delete process.env.TF_VAR_redis_secret
      else process.env.TF_VAR_redis_secret = previous
      folder.remove()
    }
  })
})

/** All that a zip archive holds, one text after the other (APPNOTE.TXT, 4.3: central directory, local headers). */
function unzip(file: string): Buffer {
  const zip = readFileSync(file)
  const texts: Buffer[] = []
  for (let at = zip.indexOf('PK\x01\x02'); at !== -1; at = zip.indexOf('PK\x01\x02', at + 46)) {
    const [method, size, local] = [
      zip.readUInt16LE(at + 10),
      zip.readUInt32LE(at + 20),
      zip.readUInt32LE(at + 42),
    ]
    const start = local + 30 + zip.readUInt16LE(local + 26) + zip.readUInt16LE(local + 28)
    const packed = zip.subarray(start, start + size)
    texts.push(method === 0 ? packed : inflateRawSync(packed))
  }
  return Buffer.concat(texts)
}
