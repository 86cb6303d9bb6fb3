import { createHash } from 'node:crypto'
import type { SSHProvisionerConnection } from 'cdktf'
import { Construct } from 'constructs'
import { checkProps, withPath } from '../errors.ts'
import { type HostDescription, renderHostBootstrap } from '../host-bootstrap/index.ts'
import { literal, TerraformData } from '../terraform.ts'

/** A machine that answers SSH. */
export interface Host {
  /** Names the resource; stays the same when the address changes. */
  readonly name: string
  /** IP address or host name. */
  readonly address: string
  /** Public key of its SSH server, as in known_hosts (`ssh-ed25519 AAAA…`): the connection is refused to any other. */
  readonly hostKey: string
}

/** How Terraform logs on to hosts. */
export interface SshAccess {
  /**
   * Account; it is root, or may use sudo without a password.
   * @default 'root'
   */
  readonly user?: string
  /**
   * Path of a private key without passphrase; read when Terraform runs, and kept in no plan and no state.
   * @default none: the SSH agent
   */
  readonly privateKeyPath?: string
}

export interface HostsGatewayProps {
  /** At least one. */
  readonly hosts: readonly Host[]
  /** What each of them is to be. SSH is reached on its `sshPort`. */
  readonly host: HostDescription
  /** @default root through the SSH agent */
  readonly ssh?: SshAccess
}

/** Relative to the home of the account, where nobody else can put another file in its place; /tmp would allow that. */
const script = './.gateway-bootstrap.sh'

/**
 * Gateways on machines that are there already, by SSH, with Terraform's built-in provider alone. A host is set up anew
 * when its script changes, its address or its key; destroying leaves the host as it is. Hosts take their turns in the
 * order given, each once the one before is ready (/readyz): a fault stops there, and the hosts behind it stay as they
 * were until the next run.
 * @throws ConstructError when a value is wrong
 */
export class HostsGateway extends Construct {
  constructor(scope: Construct, id: string, { hosts, host, ssh = {} }: HostsGatewayProps) {
    super(scope, id)
    const names = hosts.map(({ name }) => name)
    checkProps(this, [
      [hosts.length > 0, 'hosts: expected at least one, got none'],
      [new Set(names).size === names.length, `hosts: expected each name once, got ${names.join(', ')}`],
      [
        (host.managementNetworks ?? []).length > 0,
        'managementNetworks: expected the network that Terraform connects from, got none; SSH would be shut',
      ],
      ...hosts.flatMap(({ name, address, hostKey }) => [
        [
          /^[a-z][a-z0-9-]{0,62}$/.test(name),
          `name: expected lower-case letters, digits and "-", got ${JSON.stringify(name)}`,
        ] as const,
        [
          /^[A-Za-z0-9.:-]{1,253}$/.test(address),
          `${name}: expected an address, got ${JSON.stringify(address)}`,
        ] as const,
        [
          isHostKey(hostKey),
          `${name}: expected a host key such as "ssh-ed25519 AAAA…", got ${JSON.stringify(hostKey)}`,
        ] as const,
      ]),
      [
        /^[a-z_][a-z0-9_-]{0,31}$/.test(ssh.user ?? 'root'),
        `ssh.user: expected an account, got ${JSON.stringify(ssh.user)}`,
      ],
      [
        ssh.privateKeyPath === undefined || /^[A-Za-z0-9~._/@+-]+$/.test(ssh.privateKeyPath),
        `ssh.privateKeyPath: expected a path without blanks and quotes, got ${JSON.stringify(ssh.privateKeyPath)}`,
      ],
    ])
    const bootstrap = withPath(this, () => renderHostBootstrap(host))
    const digest = createHash('sha256').update(bootstrap.script).digest('hex')
    let previous: TerraformData | undefined
    for (const { name, address, hostKey } of hosts) {
      const connection = connect(address, hostKey, host.sshPort ?? 22, ssh)
      previous = new TerraformData(this, name, {
        after: previous,
        triggersReplace: { script: digest, address, hostKey },
        provisioners: [
          { type: 'file', content: literal(bootstrap.script), destination: script, connection },
          { type: 'remote-exec', inline: [run(ssh.user)], connection },
        ],
      })
    }
  }
}

const isHostKey = (text: string) =>
  /^(ssh-ed25519|ssh-rsa|ecdsa-sha2-nistp\d{3}) [A-Za-z0-9+/]{40,}={0,3}$/.test(text)

const run = (user = 'root') =>
  `${user === 'root' ? '' : 'sudo -n '}bash ${script}; status=$?; rm -f ${script}; exit $status`

const connect = (host: string, hostKey: string, port: number, ssh: SshAccess): SSHProvisionerConnection => ({
  type: 'ssh',
  host,
  port,
  user: ssh.user ?? 'root',
  hostKey,
  timeout: '2m',
  scriptPath: './.gateway-terraform.sh',
  ...(ssh.privateKeyPath === undefined
    ? { agent: 'true' }
    : { agent: 'false', privateKey: `\${file(pathexpand("${ssh.privateKeyPath}"))}` }),
})
