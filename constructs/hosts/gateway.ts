import { createHash } from 'node:crypto'
import type { SSHProvisionerConnection, TerraformResource } from 'cdktf'
import { Construct } from 'constructs'
import { checkProps, withPath } from '../errors.ts'
import { leaveProgram, renderHostBootstrap, secretNames } from '../host-bootstrap/index.ts'
import { expression, literal, TerraformData, TerraformDataOfEach } from '../terraform.ts'
import { type ClusterProps, type DescribedHost, describeHosts, hostsOf } from './cluster.ts'
import { hostsChecks } from './gateway-checks.ts'
import { hostKeysBehind } from './known-hosts.ts'
import { declareSecrets, uploadSecrets } from './secrets.ts'

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
  /**
   * A host in between, by which the others are reached, with the same private key.
   * @default none: they are reached directly
   */
  readonly bastion?: {
    readonly address: string
    /** Public key of its SSH server: the connection is refused to any other. */
    readonly hostKey: string
    /** @default 22 */
    readonly port?: number | undefined
    /** @default the account of the hosts */
    readonly user?: string | undefined
  }
}

export interface HostsGatewayProps extends ClusterProps {
  /** @default root through the SSH agent */
  readonly ssh?: SshAccess
}

/** Relative to the home of the account, where nobody else can put another file in its place; /tmp would allow that. */
const scriptPath = './.gateway-bootstrap.sh'
const secretsPath = './.gateway-secrets'

/**
 * Gateways on machines that are there already, with load balancers, virtual IPs and a Redis Cluster where hosts have
 * the roles: by SSH, with Terraform's built-in provider alone. A host is set up anew when its script changes, its
 * address or its key. First all hosts are prepared, at once, which changes nothing that runs: a host that is down or not
 * fit stops the run there. Then they take their turns, those of Redis first and edges last, each once the one before is
 * ready: a fault stops there, and the hosts behind it stay as they were until the next run. A host that goes, or all of
 * them when they are destroyed, gets back what it had.
 * @throws ConstructError when a value is wrong
 */
export class HostsGateway extends Construct {
  constructor(scope: Construct, id: string, { ssh = {}, ...cluster }: HostsGatewayProps) {
    super(scope, id)
    checkProps(this, hostsChecks({ ssh, ...cluster }))
    const { hosts, host } = cluster
    const described = describeHosts(cluster)
    const stage = new Construct(this, 'prepare')
    const prepared = described.map((host) => prepareHost(stage, host, this.#setUp(host, cluster, ssh)))
    let before: TerraformData[] = []
    for (const host of described) {
      before = [setUpHost(this, host, this.#setUp(host, cluster, ssh), [...prepared, ...before])]
    }
    const leave = new TerraformDataOfEach(this, 'leave', {
      each: Object.fromEntries(
        hosts.map(({ name, address, hostKey }) => [
          address,
          { name, host_key: hostKey, port: host.sshPort ?? 22 },
        ]),
      ),
      whenDestroyed: leaveHost(expression('each.key'), '', ssh),
      after: before,
    })
    this.#leaveDns(cluster, ssh, leave)
  }

  /** The records go with the whole, before the host that can take them away does; not with an edge that leaves. */
  #leaveDns({ dns, hosts, host }: ClusterProps, ssh: SshAccess, leave: TerraformResource) {
    const [first] = dns ? hostsOf(hosts, 'edge') : []
    new TerraformDataOfEach(this, 'leave-dns', {
      each: first
        ? { records: { address: first.address, host_key: first.hostKey, port: host.sshPort ?? 22 } }
        : {},
      whenDestroyed: leaveHost(expression('self.input.address'), ' dns', ssh),
      after: [leave],
    })
  }

  #setUp({ address, hostKey, description }: DescribedHost, cluster: ClusterProps, ssh: SshAccess): SetUp {
    const bootstrap = withPath(this, () => renderHostBootstrap(description))
    const secretNamesOfHost = secretNames(description)
    declareSecrets(this, secretNamesOfHost)
    return {
      script: literal(bootstrap.script),
      secrets: secretNamesOfHost,
      user: ssh.user ?? 'root',
      connection: connect({ host: address, hostKey, port: cluster.host.sshPort ?? 22 }, ssh),
      triggers: {
        script: createHash('sha256').update(bootstrap.script).digest('hex'),
        address,
        hostKey,
        ...(secretNamesOfHost.length > 0 && { secretVersion: String(cluster.redis?.secretVersion ?? 1) }),
      },
    }
  }
}

/** What setting a host up takes. */
interface SetUp {
  readonly script: string
  readonly secrets: readonly string[]
  readonly user: string
  readonly connection: SSHProvisionerConnection
  readonly triggers: Readonly<Record<string, string>>
}

/** Installs what is missing, and finds out what would keep the host from its roles. */
const prepareHost = (
  scope: Construct,
  { name }: DescribedHost,
  { script, user, connection, triggers }: SetUp,
) =>
  new TerraformData(scope, name, {
    triggersReplace: triggers,
    provisioners: [
      { type: 'file', content: script, destination: scriptPath, connection },
      { type: 'remote-exec', inline: [run(user, '--prepare', scriptPath)], connection },
    ],
  })

const setUpHost = (
  scope: Construct,
  { name }: DescribedHost,
  { script, secrets, user, connection, triggers }: SetUp,
  after: readonly TerraformData[],
) =>
  new TerraformData(scope, name, {
    after,
    triggersReplace: triggers,
    provisioners: [
      ...uploadSecrets(secrets, secretsPath, connection),
      { type: 'file', content: script, destination: scriptPath, connection },
      {
        type: 'remote-exec',
        inline: [
          secrets.length > 0
            ? run(user, secretsPath, `${scriptPath} ${secretsPath}`)
            : run(user, '', scriptPath),
        ],
        connection,
      },
    ],
  })

const leaveHost = (host: string, argument: string, ssh: SshAccess) => ({
  inline: [`! [ -x ${leaveProgram} ] || ${sudo(ssh.user ?? 'root')}${leaveProgram}${argument}`],
  connection: connect(
    {
      host,
      hostKey: expression('self.input.host_key'),
      port: expression('self.input.port'),
    },
    ssh,
  ),
})

const sudo = (user: string) => (user === 'root' ? '' : 'sudo -n ')

const run = (user: string, argument: string, leftovers: string) =>
  `${sudo(user)}bash ${scriptPath} ${argument}; status=$?; rm -rf ${leftovers}; exit $status`

const connect = (
  { host, hostKey, port }: { host: string; hostKey: string; port: number | string },
  ssh: SshAccess,
): SSHProvisionerConnection => ({
  type: 'ssh',
  host,
  // cdktf knows numbers only; Terraform also takes an expression.
  port: port as number,
  user: ssh.user ?? 'root',
  hostKey: ssh.bastion
    ? hostKeysBehind({ ...ssh.bastion, port: ssh.bastion.port ?? 22 }, { address: host, port, hostKey })
    : hostKey,
  timeout: '30s',
  scriptPath: './.gateway-terraform.sh',
  ...(ssh.bastion && {
    bastionHost: ssh.bastion.address,
    bastionHostKey: ssh.bastion.hostKey,
    bastionPort: ssh.bastion.port ?? 22,
    bastionUser: ssh.bastion.user ?? ssh.user ?? 'root',
  }),
  ...(ssh.privateKeyPath === undefined
    ? { agent: 'true' }
    : { agent: 'false', privateKey: `\${file(pathexpand("${ssh.privateKeyPath}"))}` }),
})
