import { Construct } from 'constructs'
import type { AptRepository } from '../host-bootstrap/index.ts'
import { GatewayDns } from './dns.ts'
import { AllowedTraffic } from './firewall.ts'
import { type Balancer, LoadBalancer } from './load-balancer.ts'
import { GatewayNetwork, type Network } from './network.ts'
import { type Fleet, NodeFleet } from './node-fleet.ts'
import { type Redis, RedisCluster } from './redis-cluster.ts'
import { VirtualIp, type ZoneAddresses } from './virtual-ip.ts'

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
   * EC2 instance type of the nodes.
   * @default 'c7i.xlarge'
   */
  readonly instanceType?: string
  /**
   * Image of the nodes: Debian 12 or newer.
   * @default the newest Debian 13
   */
  readonly imageId?: string
  /**
   * Fewest nodes.
   * @default 3
   */
  readonly minNodes?: number
  /**
   * Most nodes.
   * @default 12
   */
  readonly maxNodes?: number
  /**
   * Size of a node's log volume, GiB.
   * @default 50
   */
  readonly logVolumeSize?: number
  /**
   * ElastiCache node type.
   * @default 'cache.r7g.large'
   */
  readonly redisNodeType?: string
  /**
   * Shards of Redis.
   * @default 3
   */
  readonly redisShards?: number
  /**
   * Replicas of each shard.
   * @default 2
   */
  readonly redisReplicas?: number
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
   * Whether AWS refuses to delete the load balancer.
   * @default true
   */
  readonly deletionProtection?: boolean
  /**
   * Tags of instances and volumes.
   * @default {}
   */
  readonly tags?: Readonly<Record<string, string>>

  /** @default a new `GatewayNetwork` */
  readonly network?: Network
  /** @default a new `VirtualIp` */
  readonly virtualIp?: ZoneAddresses
  /** @default a new `LoadBalancer` */
  readonly loadBalancer?: Balancer
  /** @default a new `RedisCluster` */
  readonly redis?: Redis
  /** @default a new `NodeFleet` */
  readonly fleet?: Fleet
}

/**
 * A whole gateway on AWS: network, virtual IPs, load balancer, Redis, nodes and DNS. Each part can be given as a prop,
 * or made otherwise by a subclass that overrides the method which makes it.
 * @throws ConstructError, from the part whose props are wrong
 */
export class Gateway extends Construct {
  readonly network: Network
  readonly virtualIp: ZoneAddresses
  readonly loadBalancer: Balancer
  readonly redis: Redis
  readonly fleet: Fleet

  constructor(scope: Construct, id: string, props: GatewayProps) {
    super(scope, id)
    this.network = props.network ?? this.createNetwork(props)
    this.virtualIp = props.virtualIp ?? this.createVirtualIp(props)
    this.loadBalancer = props.loadBalancer ?? this.createLoadBalancer(props)
    this.redis = props.redis ?? this.createRedis(props)
    this.fleet = props.fleet ?? this.createFleet(props)
    this.createDns(props)

    new AllowedTraffic(this, 'clients-to-nodes', {
      fromSecurityGroupId: this.loadBalancer.securityGroupId,
      toSecurityGroupId: this.fleet.securityGroupId,
      ports: [...(props.ingressPorts ?? [80, 443]), 9090],
    })
    new AllowedTraffic(this, 'nodes-to-redis', {
      fromSecurityGroupId: this.fleet.securityGroupId,
      toSecurityGroupId: this.redis.securityGroupId,
      ports: [this.redis.port],
      egress: false,
    })
  }

  protected createNetwork({ name, zones, cidr = '10.0.0.0/16' }: GatewayProps): Network {
    return new GatewayNetwork(this, 'network', { name, zones, cidr })
  }

  protected createVirtualIp({ name }: GatewayProps): ZoneAddresses {
    return new VirtualIp(this, 'virtual-ip', { name, zones: this.network.zones.map((zone) => zone.name) })
  }

  protected createLoadBalancer({ name, ingressPorts, deletionProtection }: GatewayProps): Balancer {
    return new LoadBalancer(this, 'load-balancer', {
      name,
      network: this.network,
      virtualIp: this.virtualIp,
      ...defined({ ports: ingressPorts, deletionProtection }),
    })
  }

  protected createRedis({ name, redisNodeType, redisShards, redisReplicas }: GatewayProps): Redis {
    return new RedisCluster(this, 'redis', {
      name,
      network: this.network,
      ...defined({ nodeType: redisNodeType, shards: redisShards, replicas: redisReplicas }),
    })
  }

  protected createFleet(props: GatewayProps): Fleet {
    const { instanceType, imageId, minNodes, maxNodes, logVolumeSize, tags } = props
    const { ingressPorts, managementNetworks, aptRepository } = props
    return new NodeFleet(this, 'fleet', {
      name: props.name,
      network: this.network,
      targetGroupArns: this.loadBalancer.targetGroupArns,
      redisConnectArns: this.redis.connectArns,
      host: {
        configuration: props.configuration,
        // The load balancer checks the health of nodes from its own addresses within the VPC.
        monitoringNetworks: [this.network.cidr, ...(props.monitoringNetworks ?? [])],
        ...defined({ ingressPorts, managementNetworks, aptRepository }),
      },
      ...defined({ instanceType, imageId, minNodes, maxNodes, logVolumeSize, tags }),
    })
  }

  protected createDns({ dnsZone, domains }: GatewayProps): void {
    new GatewayDns(this, 'dns', { zone: dnsZone, domains, target: this.loadBalancer })
  }
}

type Defined<T> = { [K in keyof T]?: Exclude<T[K], undefined> }

/** Leaves out what is undefined, so that the defaults of the part stand. */
const defined = <T extends object>(values: T) =>
  Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as Defined<T>
