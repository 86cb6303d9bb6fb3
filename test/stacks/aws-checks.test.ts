import { describe, expect, test } from '@jest/globals'
import { parse } from 'yaml'
import { environmentSchema } from '../../stacks/environment.ts'

const base = `
target: aws
region: eu-central-1
zones: [eu-central-1a, eu-central-1b, eu-central-1c]
network: { cidr: 10.20.0.0/16, nat: zone }
dns: { zone: example.com, domains: [api.example.com] }
`

/** What is said of an environment: path and message of each problem. */
function complaints(more: string, from = '', to = ''): string[] {
  const result = environmentSchema.safeParse(parse(`${base.replace(from, to)}\n${more}`))
  return result.success ? [] : result.error.issues.map(({ path, message }) => `${path.join('.')}: ${message}`)
}

describe('an environment on AWS', () => {
  test('is right with its defaults', () => {
    expect(complaints('')).toEqual([])
  })

  test.each<[string, string[], string]>([
    [
      'a fleet that a subnet has no room for',
      ['nodes: { max: 200 }', '10.20.0.0/16', '10.20.0.0/22'],
      'nodes.max: expected at most 65: while nodes are replaced and a zone is down, a private subnet of 10.20.0.0/22 takes 120 of them, and has 39 addresses; take a larger network',
    ],
    [
      'a Redis that a data subnet has no room for',
      ['redis: { shards: 10, replicas: 2 }', '10.20.0.0/16', '10.20.0.0/23'],
      'redis.shards: expected fewer: with a zone down, a data subnet of 10.20.0.0/23 takes 17 nodes',
    ],
    [
      'a peer that overlaps',
      ['', 'nat: zone', 'nat: zone, peers: [172.16.0.0/12, 10.20.128.0/24]'],
      'network.peers.1: expected no address of 10.20.0.0/16, the network of the VPC',
    ],
    [
      'a peer that is no network',
      ['', 'nat: zone', 'nat: zone, peers: [10.30.1.0/16]'],
      'network.peers.0: expected no bits past the prefix, got 10.30.1.0/16: did you mean 10.30.0.0/16?',
    ],
    [
      'a type without a disk where logs want one',
      ['nodes: { log_volume: nvme, instance_types: [c7gd.xlarge, c7g.xlarge] }'],
      'nodes.instance_types.1: expected a type with an NVMe disk of its own',
    ],
    [
      'types of two architectures',
      ['nodes: { instance_types: [c7gd.xlarge, c6id.xlarge] }'],
      'nodes.instance_types.1: expected a type of arm64, as the first is, since there is one image; c6id.xlarge is amd64',
    ],
    [
      'a package of another architecture',
      ['nodes: { package: dist/gateway-runtime_1.0.0_amd64.deb }'],
      'nodes.package: expected a package for arm64, as c7gd.xlarge is, found one for amd64',
    ],
    [
      'a way out that there is not',
      ['nodes: { internet_ports: [443] }', 'nat: zone', 'nat: none'],
      'nodes.internet_ports: internet_ports need network.nat: zone; it is none',
    ],
    [
      'ACME without a way out',
      ['certificates: acme', 'nat: zone', 'nat: none'],
      'certificates: acme speaks to an authority on the internet, which needs network.nat: zone; it is none',
    ],
    [
      'replicas that share a zone',
      ['redis: { replicas: 3 }'],
      'redis.replicas: expected at most 2 with 3 zones: a further one shares a zone with another copy of its slots',
    ],
    [
      'more nodes of Redis than a cluster has',
      ['redis: { shards: 200 }'],
      'redis.shards: expected at most 166 with 2 replicas: a cluster has 500 nodes at most',
    ],
    [
      'a drain shorter than health checks',
      ['load_balancer: { health_check_interval: 30, deregistration_delay: 45 }'],
      'load_balancer.deregistration_delay: expected more than 60 seconds',
    ],
    [
      'regions without a rule for who answers',
      [
        'further_regions: [{ region: eu-west-1, zones: [eu-west-1a, eu-west-1b, eu-west-1c], network: { cidr: 10.21.0.0/16 } }]',
      ],
      'further_regions: several regions need dns.routing: latency or failover',
    ],
    [
      'regions whose networks overlap',
      [
        'further_regions: [{ region: eu-west-1, zones: [eu-west-1a, eu-west-1b, eu-west-1c], network: { cidr: 10.20.0.0/20 } }]',
        'zone: example.com,',
        'zone: example.com, routing: latency,',
      ],
      'further_regions.0.network.cidr: expected no address of 10.20.0.0/16, the network in eu-central-1',
    ],
    [
      'an image and a package',
      ['nodes: { image: ami-0123456789abcdef0, package: x_arm64.deb }'],
      'nodes.package: expected image or package, not both',
    ],
    [
      'a second fleet of another architecture',
      ['green: { percent: 10, instance_types: [c6id.xlarge] }'],
      'green.instance_types.0: expected a type of arm64: the fleet has one image',
    ],
  ])('refuses %s', (_, [more, from, to], message) => {
    expect(complaints(more!, from, to).join('\n')).toContain(message)
  })
})
