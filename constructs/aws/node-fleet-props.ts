import type { HostDescription } from '../host-bootstrap/index.ts'
import type { AlarmTopics } from './alarm.ts'
import type { ConfigSource } from './config-bucket.ts'
import type { Key } from './encryption-key.ts'
import type { LogVolume } from './log-volume.ts'
import type { Network } from './network.ts'
import type { Statement } from './policy.ts'

/** 4 vCPU, 8 GiB and an NVMe disk each; Graviton, newest first. */
export const defaultInstanceTypes: readonly string[] = ['c7gd.xlarge', 'c6gd.xlarge']

export interface NodeFleetProps {
  /** Begins the names of all resources; 1 to 40 lower-case letters, digits and "-". */
  readonly name: string
  /**
   * Name of the gateway that the nodes belong to, in metrics.
   * @default `name`
   */
  readonly gateway?: string
  /** Nodes stand in its private subnets. */
  readonly network: Network
  /** What a node is to be; becomes the user data. */
  readonly host: Omit<HostDescription, 'logDevice' | 'aws'>
  /** Target groups that nodes register with; their health checks replace a node. */
  readonly targetGroupArns: readonly string[]
  /**
   * EC2 instance types, the one to prefer first; all of one architecture, since there is one image.
   * @default ['c7gd.xlarge', 'c6gd.xlarge'] 4 vCPU and 8 GiB each
   */
  readonly instanceTypes?: readonly string[]
  /**
   * Id of the image, such as ami-0123456789abcdef0: Debian 12 or newer.
   * @default the newest Debian 13 for the instance types: a new one rolls through the fleet with the next deployment
   */
  readonly imageId?: string | undefined
  /**
   * Fewest nodes, 1 or more.
   * @default 3
   */
  readonly minNodes?: number
  /**
   * Most nodes, at least minNodes.
   * @default 12
   */
  readonly maxNodes?: number
  /**
   * Average CPU that the fleet is kept at, percent, 10 to 90.
   * @default 50
   */
  readonly targetCpu?: number
  /**
   * Requests a minute that a node is kept at, 100 to 10000000.
   * @default 300000
   */
  readonly targetRequests?: number
  /**
   * Percent of nodes that are spot instances, 0 to 100.
   * @default 0
   */
  readonly spotPercent?: number
  /**
   * Stopped instances that are kept ready to start; only with a single instance type and a log volume that survives.
   * @default none
   */
  readonly warmPool?: { readonly minSize: number; readonly maxPrepared?: number }
  /**
   * Where nodes write logs.
   * @default `LogVolume.for(instanceTypes)`
   */
  readonly logVolume?: LogVolume
  /**
   * Where nodes find the configuration that they follow, in place of the one in their user data.
   * @default that of `host` alone, so that a change of it replaces the nodes
   */
  readonly configSource?: ConfigSource
  /**
   * What nodes may do beside being managed by Session Manager and following `configSource`.
   * @default []
   */
  readonly statements?: readonly Statement[]
  /**
   * Networks (CIDR) that nodes may connect to, beside the VPC: services elsewhere.
   * @default []
   */
  readonly upstreamNetworks?: readonly string[]
  /**
   * TCP ports that nodes may connect to anywhere on the internet: 443 for ACME or for public services.
   * @default []
   */
  readonly internetPorts?: readonly number[]
  /**
   * Seconds that a node which leaves may take to finish, beyond those of the load balancer, 30 to 7200.
   * @default 120
   */
  readonly drainTimeout?: number
  /**
   * Alarms (names) that turn a rolling replacement back.
   * @default []
   */
  readonly rollbackAlarms?: readonly string[]
  /**
   * Encrypts the volumes.
   * @default a new `EncryptionKey`
   */
  readonly key?: Key
  /**
   * Where alarms go.
   * @default nowhere
   */
  readonly alarmTopics?: AlarmTopics | undefined
  /**
   * Tags of instances and volumes; the default tags of the provider do not reach what the group launches.
   * @default {}
   */
  readonly tags?: Readonly<Record<string, string>>
}
