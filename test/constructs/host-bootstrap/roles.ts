import type { EdgeRole, RedisRole } from '../../../constructs/host-bootstrap/index.ts'

/* Hosts of a cluster, as tests describe them. */

export const edgeRole: EdgeRole = {
  address: '10.0.0.1',
  peers: ['10.0.0.2'],
  virtualIps: [
    { address: '10.0.0.100', ipv6: 'fd00::100', priority: 200 },
    { address: '10.0.0.101', priority: 190 },
  ],
  gateways: [
    { name: 'one', address: '10.0.0.11' },
    { name: 'two', address: '10.0.0.12' },
  ],
  ports: [
    { port: 80, gatewayPort: 8080 },
    { port: 443, gatewayPort: 8443 },
  ],
}

export const redisRole: RedisRole = {
  address: '10.0.0.21',
  ports: [6379, 6380],
  servers: [21, 22, 23, 21, 22, 23].map((octet, index) => ({
    address: `10.0.0.${octet}`,
    port: index < 3 ? 6379 : 6380,
  })),
  clients: ['10.0.0.11', '10.0.0.12'],
  makesCluster: true,
}
