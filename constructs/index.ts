/** Everything that can be provisioned. */

export { Alarm, type AlarmProps, type AlarmTopics, type Metric } from './aws/alarm.ts'
export { Alerts, type AlertsProps } from './aws/alerts.ts'
export { NamingConvention, PermissionsBoundary, TagAll } from './aws/aspects.ts'
export { Budget, type BudgetProps } from './aws/budget.ts'
export { Certificates, type CertificatesProps } from './aws/certificates.ts'
export { ConfigBucket, type ConfigBucketProps, type ConfigSource } from './aws/config-bucket.ts'
export { ConfigDatabase, type ConfigDatabaseProps, type Database } from './aws/config-database.ts'
export { Dashboard, type DashboardProps } from './aws/dashboard.ts'
export { type Authority, GatewayDns, type GatewayDnsProps, type Routing } from './aws/dns.ts'
export { EncryptionKey, type EncryptionKeyProps, type Key } from './aws/encryption-key.ts'
export { accept, type Rule } from './aws/findings.ts'
export { AllowedTraffic, type AllowedTrafficProps } from './aws/firewall.ts'
export { Gateway } from './aws/gateway.ts'
export { GatewayImage, type GatewayImageProps } from './aws/gateway-image.ts'
export type { GatewayOutputs, GatewayProps, PartProps } from './aws/gateway-props.ts'
export { GatewayRepository, type GatewayRepositoryProps } from './aws/gateway-repository.ts'
export { type Balancer, LoadBalancer, type LoadBalancerProps } from './aws/load-balancer.ts'
export type { Retention } from './aws/log-group.ts'
export { type Gp3Options, LogVolume } from './aws/log-volume.ts'
export { GatewayNetwork, type GatewayNetworkProps, type Network } from './aws/network.ts'
export type { NetworkZone } from './aws/network-zone.ts'
export { type Fleet, NodeFleet, type NodeFleetProps } from './aws/node-fleet.ts'
export { NodeRole, type NodeRoleProps } from './aws/node-role.ts'
export { Observability, type ObservabilityProps } from './aws/observability.ts'
export type { Statement } from './aws/policy.ts'
export { PrivateBucket, type PrivateBucketProps } from './aws/private-bucket.ts'
export { type Redis, RedisCluster, type RedisClusterProps } from './aws/redis-cluster.ts'
export type { HealthCheck } from './aws/target-groups.ts'
export { VirtualIp, type VirtualIpProps, type ZoneAddresses } from './aws/virtual-ip.ts'
export type { EndpointService } from './aws/vpc-endpoints.ts'
export { ConstructError } from './errors.ts'
export {
  type AptRepository,
  type HostBootstrap,
  type HostDescription,
  type HostFile,
  redisSettings,
  renderHostBootstrap,
  renderUserData,
} from './host-bootstrap/index.ts'
export {
  type ClusterProps,
  type Host,
  type HostRole,
  hostsOf,
  redisServers,
  says,
} from './hosts/cluster.ts'
export { clusterProblems } from './hosts/cluster-problems.ts'
export { HostsGateway, type HostsGatewayProps, type SshAccess } from './hosts/gateway.ts'
export { LocalGateway, type LocalGatewayProps } from './local/gateway.ts'
