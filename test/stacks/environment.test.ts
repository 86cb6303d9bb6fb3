import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { ConfigurationError } from '@gatehouse/gateway-runtime/config'
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals'
import { environmentsDirectory } from '../../stacks/app.ts'
import { readEnvironment } from '../../stacks/environment-folder.ts'

let directory: string
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'gateway-environment-'))
  cpSync(environmentsDirectory, directory, { recursive: true })
})
afterEach(() => rmSync(directory, { recursive: true }))

/** What is said of an environment after one edit; the path of the folder is left out. */
function complaint(name: string, file: string, from: string | RegExp, to: string): string {
  const path = join(directory, name, file)
  const text = readFileSync(path, 'utf8')
  const edited = text.replace(from, to)
  expect(edited).not.toBe(text)
  writeFileSync(path, edited)
  try {
    readEnvironment(directory, name)
  } catch (error) {
    expect(error).toBeInstanceOf(ConfigurationError)
    return (error as Error).message.replaceAll(`${join(directory, name)}/`, '')
  }
  throw new Error('expected a complaint')
}

describe('environment.yaml', () => {
  test('gives what its schema says, with defaults', () => {
    expect(readEnvironment(directory, 'staging')).toMatchObject({
      name: 'staging',
      environment: { target: 'aws', management_networks: [], nodes: { min: 2 } },
      ingressPorts: [80, 443],
      statusPort: 9090,
    })
  })

  test.each<[string, string, string | RegExp, string, string]>([
    [
      'an unknown key',
      'production',
      'region:',
      'regoin:',
      'environment.yaml:3:1: unknown key "regoin"; did you mean "region"?',
    ],
    [
      'an unknown key within',
      'production',
      'instance_types',
      'instance_type',
      'environment.yaml:11:10: unknown key "instance_type"; did you mean "instance_types"?',
    ],
    [
      'an unknown target',
      'production',
      'target: aws',
      'target: azure',
      'environment.yaml:2:9: expected aws, hosts or local, found "azure"',
    ],
    ['a missing target', 'local', 'target: local', 'directory: x', 'missing key "target"'],
    [
      'a network too small',
      'production',
      '10.20.0.0/16',
      '10.20.0.0/28',
      'environment.yaml:5:18: expected a network from /16 to /23, got 10.20.0.0/28',
    ],
    [
      'a zone of another region',
      'production',
      'eu-central-1b',
      'eu-west-1b',
      'environment.yaml:4:24: expected a zone of eu-central-1',
    ],
    [
      'a zone twice',
      'production',
      'eu-central-1b',
      'eu-central-1a',
      'environment.yaml:4:8: expected each zone once',
    ],
    [
      'a domain outside the zone',
      'production',
      'api.example.com',
      'api.example.org',
      'expected a name in the zone example.com',
    ],
    [
      'more nodes at least than at most',
      'production',
      'min: 3',
      'min: 30',
      'expected at least the value of min',
    ],
    [
      'text for a number',
      'production',
      'shards: 3',
      'shards: three',
      'environment.yaml:12:46: expected a number, found "three"',
    ],
    ['YAML that is none', 'production', 'region:', 'region: [', 'environment.yaml:'],
    [
      'a role that hosts cannot have',
      'onprem',
      'address: 192.0.2.11',
      'address: 192.0.2.11\n    roles: [proxy]',
      'environment.yaml:7:13: expected edge, gateway or redis, found "proxy"',
    ],
    [
      'fewer than three hosts of Redis',
      'onprem',
      'address: 192.0.2.11',
      'address: 192.0.2.11\n    roles: [gateway, redis]',
      'environment.yaml:5:3: expected 3 to 6 hosts with the role redis, got 1',
    ],
    [
      'edges without a virtual IP',
      'onprem',
      / {4}host_key:/g,
      '    roles: [edge, gateway]\n    host_key:',
      'expected edge.virtual_ips, which the edges hold, got none',
    ],
    [
      'a host key that is none',
      'onprem',
      /ecdsa-sha2-nistp256 AAAA.*/,
      'AAAA',
      'expected a key such as ecdsa-sha2-nistp256 AAAA…, found "AAAA"',
    ],
    ['two hosts of one name', 'onprem', 'gateway-2', 'gateway-1', 'expected each name once'],
    [
      'nobody who may reach SSH',
      'onprem',
      'management_networks: [192.0.2.0/24]',
      'management_networks: []',
      'expected at least 1 entry, found a list',
    ],
    [
      'a signing key that is not there',
      'production',
      '# apt_repository:',
      'apt_repository:',
      'environment.yaml: apt_repository.signing_key: repository-key.asc cannot be read: ENOENT',
    ],
  ])('refuses %s, and says where', (_, name, from, to, message) => {
    expect(complaint(name, 'environment.yaml', from, to)).toContain(message)
  })
})

describe('the configuration beside it', () => {
  test.each<[string, string, string, string, string]>([
    ['an unknown key', 'config.yaml', 'routes:', 'ruotes:', 'unknown key "ruotes"; did you mean "routes"?'],
    ['a route to no service', 'config.yaml', 'service: orders', 'service: order', 'config.yaml:11:'],
    ['a regular expression that is none', 'config.yaml', '/v1/orders', '"~/v1/("', 'config.yaml:11:'],
    ['a URL that is none', 'services.yaml', 'http://users.internal:8080', 'users.internal', 'services.yaml:'],
    [
      'a plugin that nobody knows',
      'config.yaml',
      'name: rate-limiting',
      'name: rate-limitin',
      'rate-limiting',
    ],
  ])('fails before anything is deployed for %s', (_, file, from, to, message) => {
    expect(complaint('production', file, from, to)).toContain(message)
  })
})

describe('what must fit between environment.yaml and the configuration', () => {
  test.each<[string, string, string, string, string]>([
    [
      'a drain that the load balancer cuts off',
      'config.yaml',
      'routes:',
      'limits: { drain_timeout: 60s }\nroutes:',
      'config.yaml:10:26: expected at most 45 seconds (load_balancer.deregistration_delay in environment.yaml)',
    ],
    [
      'a load balancer that cuts off requests',
      'environment.yaml',
      'tags:',
      'load_balancer: { deregistration_delay: 25 }\ntags:',
      'expected at least 30 seconds (limits.drain_timeout of the configuration)',
    ],
    [
      'a PROXY header that nobody sends',
      'config.yaml',
      'listeners:\n  - { port: 80, protocol: http }',
      'trusted_proxies: [10.20.0.0/16]\nlisteners:\n  - { port: 80, protocol: http, proxy_protocol: true }',
      'config.yaml:4:5: expected load_balancer.client_address: proxy-protocol in environment.yaml',
    ],
    [
      'a PROXY header that nobody expects',
      'environment.yaml',
      'tags:',
      'load_balancer: { client_address: proxy-protocol }\ntags:',
      'config.yaml:3:5: expected proxy_protocol: true',
    ],
    [
      'a status port that health checks do not reach',
      'config.yaml',
      'routes:',
      'status: { host: 127.0.0.1 }\nroutes:',
      'expected an address that the load balancer reaches',
    ],
    [
      'a host without record and certificate',
      'config.yaml',
      'paths: [/v1/orders] }',
      'paths: [/v1/orders], hosts: [api.example.com, shop.example.com, partner.example.org] }',
      'shop.example.com here, and no certificate is for it',
    ],
  ])('refuses %s, with its line', (_, file, from, to, message) => {
    expect(complaint('production', file, from, to)).toContain(message)
  })

  test('takes what fits: a wildcard, and hosts of other zones', () => {
    const folder = join(directory, 'production')
    const edit = (file: string, from: string, to: string) => {
      const text = readFileSync(join(folder, file), 'utf8')
      writeFileSync(join(folder, file), text.replace(from, to))
    }
    edit('environment.yaml', '[api.example.com]', "['*.example.com']")
    edit(
      'config.yaml',
      'paths: [/v1/orders] }',
      'paths: [/v1/orders], hosts: [a.example.com, partner.example.org] }',
    )
    expect(readEnvironment(directory, 'production').ingressPorts).toEqual([80, 443])
  })
})

describe('hosts with edges', () => {
  const edit = (file: string, from: string | RegExp, to: string) => {
    const path = join(directory, 'onprem', file)
    writeFileSync(path, readFileSync(path, 'utf8').replace(from, to))
  }
  const makeEdges = () => {
    edit('environment.yaml', / {4}host_key:/g, '    roles: [edge, gateway]\n    host_key:')
    edit(
      'environment.yaml',
      'ssh:',
      'edge:\n  virtual_ips: [{ address: 192.0.2.10 }]\n  ports: [{ port: 443, gateway_port: 8443 }]\nssh:',
    )
    edit(
      'config.yaml',
      /listeners:.*?gateway.key }/s,
      `listeners: [{ port: 8443, protocol: http, proxy_protocol: true }]`,
    )
  }

  test('have gateways that take PROXY headers from them alone', () => {
    makeEdges()
    const { files, ingressPorts } = readEnvironment(directory, 'onprem')
    expect(ingressPorts).toEqual([8443])
    expect(files['gatehouse-edges.yaml']).toBe(
      "# Made by the deployment.\ntrusted_proxies: ['192.0.2.11', '192.0.2.12']\nlimits: { drain_delay: 2s }\n",
    )
  })

  test.each<[string, string, string | RegExp, string, string]>([
    [
      'listeners that take no PROXY header',
      'config.yaml',
      'port: 8443, protocol: http, proxy_protocol: true',
      'port: 8443, protocol: http',
      'expected proxy_protocol: true, since edges begin each connection with a PROXY header',
    ],
    [
      'edges that are not trusted',
      'config.yaml',
      'listeners:',
      'trusted_proxies: [192.0.2.11]\nlisteners:',
      'expected 192.0.2.12 of a host with the role edge among them',
    ],
    [
      'a status port that edges do not reach',
      'config.yaml',
      'routes:',
      'status: { host: 127.0.0.1 }\nroutes:',
      'expected an address that the load balancer reaches',
    ],
    [
      'a port that edge and gateway both want',
      'environment.yaml',
      'port: 443, gateway_port',
      'port: 8443, gateway_port',
      'environment.yaml:7:12: gateway-1: edge and gateway would both listen on 8443',
    ],
  ])('are refused with %s', (_, file, from, to, message) => {
    makeEdges()
    expect(complaint('onprem', file, from, to)).toContain(message)
  })
})
