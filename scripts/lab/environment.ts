import { mkdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { HostRole } from '../../constructs/index.ts'
import { hostKeyOf } from './host.ts'
import { ipv6Of, keyFile, neighbourOf } from './lab.ts'
import type { HostRecord, LabRecord } from './record.ts'

/** What is deployed to a lab: what a person would write into the folder of an environment. */
export interface LabSettings {
  /** Roles of the first host, of the second, and so on; a host without roles is left out. */
  readonly roles: readonly (readonly HostRole[])[]
  /** Addresses of clients: how many, 1 or 2. */
  readonly virtualIps: number
  /**
   * Whether each has an IPv6 address beside it (`ipv6Of`).
   * @default false
   */
  readonly ipv6?: boolean
  /**
   * The host by which Terraform reaches the others, with keys of the SSH agent (`SSH_AUTH_SOCK`).
   * @default none: it reaches them directly, with the private key of the lab
   */
  readonly bastion?: HostRecord
  /** Version of gateway-runtime. */
  readonly version: string
  /** Files of the gateway's configuration, such as config.yaml; listeners have the ports 8080 and 8443. */
  readonly configuration: Readonly<Record<string, string>>
  /** More settings of environment.yaml, as YAML. */
  readonly more?: string
}

const all: readonly HostRole[] = ['edge', 'gateway', 'redis']

/** Roles by host. `one`: three hosts with all roles. `apart`: two edges, three gateways, six hosts of Redis. */
export const layouts = {
  one: [all, all, all],
  apart: [
    ...Array.from({ length: 2 }, () => ['edge'] as const),
    ...Array.from({ length: 3 }, () => ['gateway'] as const),
    ...Array.from({ length: 6 }, () => ['redis'] as const),
  ],
} as const satisfies Record<string, readonly (readonly HostRole[])[]>

/** Ports of clients, and the listeners that they lead to: edge and gateway may share a host. */
export const ports = { http: [80, 8080], https: [443, 8443] } as const

/** One worker, a page that the gateway answers itself, and the certificate that each host made. */
export const defaultConfiguration = {
  'config.yaml': `workers: 1
listeners:
  - { port: ${ports.http[1]}, protocol: http, proxy_protocol: true }
  - port: ${ports.https[1]}
    protocol: https
    proxy_protocol: true
    certificate: /etc/ssl/gateway.crt
    key: /etc/ssl/gateway.key
`,
  'services.yaml': `services:
  - { name: hello, url: 'http://127.0.0.1:9' }
routes:
  - { name: hello, service: hello, paths: [/hello] }
plugins:
  - { name: request-termination, route: hello, config: { status_code: 200, body: hello } }
`,
}

const firstVirtualIpOctet = 101
const repositoryPort = 8099

/** Addresses that clients of a lab use. */
export const virtualIpsOf = (lab: LabRecord, { virtualIps }: Pick<LabSettings, 'virtualIps'>) =>
  Array.from({ length: virtualIps }, (_, index) => `${lab.subnet}.${firstVirtualIpOctet + index}`)

/** Where this machine serves its apt repository to the hosts of a lab. */
export const repositoryOf = (lab: LabRecord) => ({ address: neighbourOf(lab), port: repositoryPort })

function sshOf(lab: LabRecord, { bastion }: LabSettings) {
  if (!bastion) return { user: 'root', private_key: keyFile(lab) }
  return { user: 'root', bastion: { address: bastion.address, host_key: hostKeyOf(bastion) } }
}

/**
 * Writes the folder of an environment: environment.yaml, the key of the repository, the gateway's configuration.
 * @param signingKey - public key of the apt repository, ASCII-armoured
 */
export async function writeEnvironment(
  folder: string,
  lab: LabRecord,
  settings: LabSettings,
  signingKey: string,
): Promise<void> {
  await rm(folder, { recursive: true, force: true })
  await mkdir(folder, { recursive: true })
  const hosts = settings.roles.flatMap((roles, index) => {
    const host = lab.hosts[index]
    if (!host) throw new Error(`the lab has ${lab.hosts.length} hosts, and roles are given to ${index + 1}`)
    const { name, address } = host
    return roles.length > 0 ? [{ name, address, host_key: hostKeyOf(host), roles }] : []
  })
  const hasEdges = hosts.some(({ roles }) => roles.includes('edge'))
  const { address, port } = repositoryOf(lab)
  const environment = {
    target: 'hosts',
    hosts,
    ssh: sshOf(lab, settings),
    ...(hasEdges && {
      edge: {
        virtual_ips: virtualIpsOf(lab, settings).map((virtualIp) => ({
          address: virtualIp,
          ...(settings.ipv6 && { ipv6: ipv6Of(virtualIp) }),
        })),
        ports: Object.values(ports).map(([of, gateway]) => ({ port: of, gateway_port: gateway })),
      },
    }),
    apt_repository: {
      url: `http://${address}:${port}`,
      signing_key: 'repository.asc',
      version: settings.version,
    },
    management_networks: [`${settings.bastion?.address ?? neighbourOf(lab)}/32`],
    monitoring_networks: [`${neighbourOf(lab)}/32`],
  }
  // JSON is YAML; one setting a line is enough for a person.
  const text = Object.entries(environment).map(([key, value]) => `${key}: ${JSON.stringify(value)}\n`)
  await writeFile(join(folder, 'environment.yaml'), `${text.join('')}${settings.more ?? ''}`)
  await writeFile(join(folder, 'repository.asc'), signingKey)
  for (const [name, content] of Object.entries(settings.configuration)) {
    await writeFile(join(folder, name), content)
  }
}
