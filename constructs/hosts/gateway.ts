import { createHash } from 'node:crypto'
import type { SSHProvisionerConnection } from 'cdktf'
import { Construct } from 'constructs'
import { checkProps, withPath } from '../errors.ts'
import { renderHostBootstrap, secretNames } from '../host-bootstrap/index.ts'
import { literal, TerraformData } from '../terraform.ts'
import { type ClusterProps, describeHosts } from './cluster.ts'
import { clusterProblems } from './cluster-problems.ts'
import { redisSecret, uploadSecrets } from './secrets.ts'

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

export interface HostsGatewayProps extends ClusterProps {
  /** @default root through the SSH agent */
  readonly ssh?: SshAccess
}

/** Relative to the home of the account, where nobody else can put another file in its place; /tmp would allow that. */
const script = './.gateway-bootstrap.sh'
const secrets = './.gateway-secrets'

/**
 * Gateways on machines that are there already, with load balancers, virtual IPs and a Redis Cluster where hosts have
 * the roles: by SSH, with Terraform's built-in provider alone. A host is set up anew when its script changes, its
 * address or its key; destroying leaves the host as it is. Hosts take their turns, those of Redis first and edges last,
 * each once the one before is ready: a fault stops there, and the hosts behind it stay as they were until the next run.
 * @throws ConstructError when a value is wrong
 */
export class HostsGateway extends Construct {
  constructor(scope: Construct, id: string, { ssh = {}, ...cluster }: HostsGatewayProps) {
    super(scope, id)
    const { hosts, host, redis } = cluster
    const names = hosts.map(({ name }) => name)
    checkProps(this, [
      [hosts.length > 0, 'hosts: expected at least one, got none'],
      ...clusterProblems(cluster).map(({ message }) => [false, message] as const),
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
    const secretVersion = String(redis?.secretVersion ?? 1)
    let previous: TerraformData | undefined
    for (const { name, address, hostKey, description } of describeHosts(cluster)) {
      const connection = connect(address, hostKey, host.sshPort ?? 22, ssh)
      const bootstrap = withPath(this, () => renderHostBootstrap(description))
      const needed = secretNames(description)
      if (needed.length > 0) redisSecret(this)
      previous = new TerraformData(this, name, {
        after: previous,
        triggersReplace: {
          script: createHash('sha256').update(bootstrap.script).digest('hex'),
          address,
          hostKey,
          ...(needed.length > 0 && { secretVersion }),
        },
        provisioners: [
          ...uploadSecrets(needed, secrets, connection),
          { type: 'file', content: literal(bootstrap.script), destination: script, connection },
          { type: 'remote-exec', inline: [run(ssh.user, needed.length > 0)], connection },
        ],
      })
    }
  }
}

const isHostKey = (text: string) =>
  /^(ssh-ed25519|ssh-rsa|ecdsa-sha2-nistp\d{3}) [A-Za-z0-9+/]{40,}={0,3}$/.test(text)

const run = (user = 'root', withSecrets = false) => {
  const [argument, leftovers] = withSecrets ? [` ${secrets}`, `${script} ${secrets}`] : ['', script]
  return `${user === 'root' ? '' : 'sudo -n '}bash ${script}${argument}; status=$?; rm -rf ${leftovers}; exit $status`
}

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
