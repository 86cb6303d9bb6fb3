import type { AptRepository } from '../host-bootstrap/index.ts'
import type { AlarmTopics } from './alarm.ts'
import type { AlertsProps } from './alerts.ts'
import type { BudgetProps } from './budget.ts'
import type { CertificatesProps } from './certificates.ts'
import type { ConfigSource } from './config-bucket.ts'
import type { ConfigDatabaseProps, Database } from './config-database.ts'
import type { GatewayDnsProps } from './dns.ts'
import type { Key } from './encryption-key.ts'
import type { GatewayImageProps } from './gateway-image.ts'
import type { Balancer, LoadBalancerProps } from './load-balancer.ts'
import type { GatewayNetworkProps, Network } from './network.ts'
import type { Fleet, NodeFleetProps } from './node-fleet.ts'
import type { ObservabilityProps } from './observability.ts'
import type { Redis, RedisClusterProps } from './redis-cluster.ts'
import type { ZoneAddresses } from './virtual-ip.ts'

/** Props of parts, beside those that the gateway gives them; what stands here wins. */
export interface PartProps {
  readonly network?: Partial<GatewayNetworkProps>
  readonly loadBalancer?: Partial<LoadBalancerProps>
  readonly redis?: Partial<RedisClusterProps>
  readonly fleet?: Partial<NodeFleetProps>
  readonly dns?: Partial<GatewayDnsProps>
  readonly certificates?: Partial<CertificatesProps>
  readonly observability?: Partial<ObservabilityProps>
  readonly alerts?: Partial<AlertsProps>
  /** Given at all, there is a configuration database. */
  readonly database?: Partial<ConfigDatabaseProps>
  /** Given at all, nodes are launched from an image that is built of this package. */
  readonly image?: Partial<GatewayImageProps> & Pick<GatewayImageProps, 'packagePath'>
  /** Given at all, somebody is told when a month costs more. */
  readonly budget?: Partial<BudgetProps> & Pick<BudgetProps, 'monthlyLimit' | 'tag'>
}

export interface GatewayProps {
  /** Begins the names of all resources; 1 to 40 lower-case letters, digits and single "-", a letter first. */
  readonly name: string
  /** Availability zones, such as eu-central-1a; two or more, for the failover of Redis. */
  readonly zones: readonly string[]
  /** Configuration files by name (`config.yaml`, `services.yaml`), as people wrote them. */
  readonly configuration: Readonly<Record<string, string>>
  /**
   * TCP ports of the listeners in that configuration.
   * @default [80, 443]
   */
  readonly ingressPorts?: readonly number[]
  /** Public hosted zone, there already, that the domains stand in: `example.com`. */
  readonly dnsZone: string
  /** Names that lead to the gateway: `api.example.com`. */
  readonly domains: readonly string[]
  /**
   * IPv4 network of the VPC, /16 to /23; not used where `network` is given.
   * @default '10.0.0.0/16'
   */
  readonly cidr?: string
  /**
   * How nodes come to certificates: `acme`, by themselves, for which they reach port 443 of the internet, shared in
   * Redis where `key` encrypts them; or `secrets`, which somebody puts them into.
   * @default 'secrets'
   */
  readonly certificates?: 'acme' | 'secrets'
  /**
   * Networks (CIDR) that may reach SSH and the admin API on nodes, beside Session Manager.
   * @default [] nobody
   */
  readonly managementNetworks?: readonly string[]
  /**
   * Networks (CIDR) that may reach metrics on 9090, beside the VPC itself.
   * @default []
   */
  readonly monitoringNetworks?: readonly string[]
  /**
   * Where `gateway-runtime` is installed from.
   * @default none: the image holds it
   */
  readonly aptRepository?: AptRepository
  /**
   * Whether AWS refuses to delete the load balancer and the database, and Terraform the addresses.
   * @default true
   */
  readonly deletionProtection?: boolean
  /**
   * Tags of all resources.
   * @default {}
   */
  readonly tags?: Readonly<Record<string, string>>
  /**
   * ARN of the policy that no role of the gateway may go beyond.
   * @default none
   */
  readonly permissionsBoundary?: string
  /**
   * A second fleet behind the same addresses: its props, where they differ from those of the first, and the percent of
   * new connections that it gets. 0 keeps it warm, 100 promotes it, and 0 again rolls back.
   * @default there is one fleet
   */
  readonly green?: Partial<NodeFleetProps> & { readonly percent: number }
  /**
   * Props of parts, beside those that the gateway gives them.
   * @default {}
   */
  readonly parts?: PartProps

  /** @default a new `EncryptionKey` */
  readonly key?: Key
  /** @default new `Alerts` */
  readonly alarmTopics?: AlarmTopics
  /** @default a new `GatewayNetwork` */
  readonly network?: Network
  /** @default a new `VirtualIp` */
  readonly virtualIp?: ZoneAddresses
  /** @default a new `LoadBalancer` */
  readonly loadBalancer?: Balancer
  /** @default a new `RedisCluster` */
  readonly redis?: Redis
  /** @default a new `ConfigDatabase` where `parts.database` is given, else none */
  readonly database?: Database
  /** @default a new `ConfigBucket` with `configuration` */
  readonly configSource?: ConfigSource
  /** @default a new `NodeFleet` */
  readonly fleet?: Fleet
}

/** What others need of a deployed gateway. Known once it is. */
export interface GatewayOutputs {
  /** Availability zone → public IPv4 address, for the firewalls of partners. */
  readonly virtualIps: Readonly<Record<string, string>>
  /** DNS name of the load balancer. */
  readonly loadBalancer: string
  /** Where nodes count: `host:port`. */
  readonly redis: string
  /** Where nodes find their configuration: `s3://bucket/key`. */
  readonly configuration: string
  /** Topics that alarms go to. */
  readonly alarmTopics: AlarmTopics
  /** Security group of the nodes, which services let in. */
  readonly nodeSecurityGroup: string
}
