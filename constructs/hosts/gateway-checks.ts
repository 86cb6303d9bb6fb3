import { clusterProblems } from './cluster-problems.ts'
import type { HostsGatewayProps } from './gateway.ts'

type Check = readonly [holds: boolean, problem: string]

/** All that must hold of the properties, each with the sentence that is said where it does not. */
export function hostsChecks({ ssh = {}, ...cluster }: HostsGatewayProps): Check[] {
  const { hosts, host } = cluster
  const names = hosts.map(({ name }) => name)
  const bastion = ssh.bastion ? [{ name: 'ssh.bastion', ...ssh.bastion }] : []
  return [
    [hosts.length > 0, 'hosts: expected at least one, got none'],
    ...clusterProblems(cluster).map(({ message }): Check => [false, message]),
    [new Set(names).size === names.length, `hosts: expected each name once, got ${names.join(', ')}`],
    [
      (host.managementNetworks ?? []).length > 0,
      'managementNetworks: expected the network that Terraform connects from, got none; SSH would be shut',
    ],
    ...hosts.map(
      ({ name }): Check => [
        /^[a-z][a-z0-9-]{0,62}$/.test(name),
        `name: expected lower-case letters, digits and "-", got ${JSON.stringify(name)}`,
      ],
    ),
    ...[...hosts, ...bastion].flatMap(({ name, address, hostKey }): Check[] => [
      [
        /^[A-Za-z0-9.:-]{1,253}$/.test(address),
        `${name}: expected an address, got ${JSON.stringify(address)}`,
      ],
      [
        isHostKey(hostKey),
        `${name}: expected a host key such as "ecdsa-sha2-nistp256 AAAA…", got ${JSON.stringify(hostKey)}`,
      ],
    ]),
    [
      [ssh.user ?? 'root', ssh.bastion?.user ?? 'root'].every((user) =>
        /^[a-z_][a-z0-9_-]{0,31}$/.test(user),
      ),
      `ssh.user: expected an account, got ${JSON.stringify(ssh.user)}`,
    ],
    [
      ssh.privateKeyPath === undefined || /^[A-Za-z0-9~._/@+-]+$/.test(ssh.privateKeyPath),
      `ssh.privateKeyPath: expected a path without blanks and quotes, got ${JSON.stringify(ssh.privateKeyPath)}`,
    ],
  ]
}

const isHostKey = (text: string) =>
  /^(ssh-ed25519|ssh-rsa|ecdsa-sha2-nistp\d{3}) [A-Za-z0-9+/]{40,}={0,3}$/.test(text)
