/** Everything that can be provisioned. */

export { GatewayDns, type GatewayDnsProps } from './aws/dns.ts'
export { AllowedTraffic, type AllowedTrafficProps } from './aws/firewall.ts'
export { Gateway, type GatewayProps } from './aws/gateway.ts'
export { type Balancer, LoadBalancer, type LoadBalancerProps } from './aws/load-balancer.ts'
export { GatewayNetwork, type GatewayNetworkProps, type Network, type NetworkZone } from './aws/network.ts'
export { type Fleet, NodeFleet, type NodeFleetProps } from './aws/node-fleet.ts'
export { NodeRole, type NodeRoleProps } from './aws/node-role.ts'
export { type Redis, RedisCluster, type RedisClusterProps } from './aws/redis-cluster.ts'
export { VirtualIp, type VirtualIpProps, type ZoneAddresses } from './aws/virtual-ip.ts'
export { ConstructError } from './errors.ts'
export {
  type AptRepository,
  type HostBootstrap,
  type HostDescription,
  type HostFile,
  renderHostBootstrap,
  renderUserData,
} from './host-bootstrap/index.ts'
export { type Host, HostsGateway, type HostsGatewayProps, type SshAccess } from './hosts/gateway.ts'
export { LocalGateway, type LocalGatewayProps } from './local/gateway.ts'
