import { isIP } from 'node:net'
import type { HostDescription, HostFile } from './description.ts'
import { certificateStoreSecret, redisGatewaySecret, secretPath } from './secrets.ts'
import { quote } from './shell.ts'

/** A server of a Redis Cluster. */
export interface RedisServer {
  /** IP address of its host. */
  readonly address: string
  readonly port: number
}

/** What makes a host hold servers of a Redis Cluster. */
export interface RedisRole {
  /** Servers of this host, by port: instances of the distribution's `redis-server@.service`. */
  readonly ports: readonly number[]
  /** IP address that they listen on, beside loopback. */
  readonly address: string
  /** All servers of the cluster, those of this host among them. */
  readonly servers: readonly RedisServer[]
  /** IP addresses of the gateways, which alone may reach the servers besides the servers themselves. */
  readonly clients: readonly string[]
  /** Whether this host joins the servers to a cluster: true of the last one that is set up. */
  readonly makesCluster: boolean
  /**
   * Most memory of one server, as redis.conf takes it.
   * @default '256mb'
   */
  readonly maxMemory?: string
}

/** User of the gateways, and of the cluster itself (replication, redis-cli) in the access control list. */
export const gatewayUser = 'gateway'
const clusterUser = 'cluster'

const acl = '/etc/redis/gatehouse.acl'
const auth = '/etc/redis/gatehouse-auth.conf'
const configurationOf = (port: number) => `/etc/redis/redis-${port}.conf`

/** Port of the cluster bus of a server (redis.io, "Redis cluster specification"). */
export const busPort = (port: number) => port + 10_000
export const redisUnit = (port: number) => `redis-server@${port}.service`

/** IP addresses of all hosts that have servers. */
export const redisAddresses = ({ servers }: RedisRole) => [...new Set(servers.map(({ address }) => address))]

/** All that is wrong with the role, one sentence each. */
export function redisProblems({ ports, address, servers, clients, maxMemory }: RedisRole): string[] {
  const isPort = (port: number) => Number.isInteger(port) && port >= 1 && busPort(port) <= 65_535
  return [
    ...[address, ...clients, ...servers.map((server) => server.address)]
      .filter((text) => isIP(text) === 0)
      .map((text) => `redis: expected an IP address, got ${JSON.stringify(text)}`),
    ...[...ports, ...servers.map(({ port }) => port)]
      .filter((port) => !isPort(port))
      .map((port) => `redis: expected a port from 1 to 55535, got ${port}`),
    ...(maxMemory === undefined || /^[1-9]\d{0,9}(kb|mb|gb)$/.test(maxMemory)
      ? []
      : [`redis.maxMemory: expected a size such as 256mb, got ${JSON.stringify(maxMemory)}`]),
  ]
}

/*
 * What nodes keep here lives for seconds, but certificates may be kept here too, and a primary that comes back empty
 * empties its replicas: hence the append-only file.
 */
const redisConf = (port: number, { address, maxMemory = '256mb' }: RedisRole) => `# Made by the deployment.
bind ${address} ${isIP(address) === 6 ? '::1' : '127.0.0.1'}
port ${port}
# who is let in stands in the access control list and the firewall
protected-mode no
aclfile ${acl}
include ${auth}
cluster-enabled yes
cluster-announce-ip ${address}
cluster-config-file nodes-${port}.conf
# milliseconds until the others give a server up
cluster-node-timeout 2000
# limits of the other shards go on while one is lost
cluster-require-full-coverage no
dir /var/lib/redis/${port}
appendonly yes
appendfsync everysec
no-appendfsync-on-rewrite yes
save ""
maxmemory ${maxMemory}
maxmemory-policy volatile-lru
tcp-keepalive 60
`

/** Configuration of the servers; what holds a password is written by `startRedis`. */
export const redisFiles = ({ redis }: HostDescription): HostFile[] =>
  redis
    ? [
        ...redis.ports.map((port) => ({
          path: configurationOf(port),
          mode: '0640',
          owner: 'redis:redis',
          content: redisConf(port, redis),
        })),
        {
          path: '/etc/sysctl.d/91-gateway-redis.conf',
          mode: '0644',
          owner: 'root:root',
          content: '# the copy that rewrites the append-only file shares memory\n-vm.overcommit_memory = 1\n',
        },
      ]
    : []

/** Commands of the gateway: on its keys and channels, nothing that reads or changes the server. */
export const gatewayRules =
  '~gatehouse:* &gatehouse:* -@all +@read +@write +@pubsub +@scripting +@transaction +@connection ' +
  '+time +wait +cluster|slots +cluster|shards +cluster|nodes +cluster|myid -@dangerous'

/** Bash that writes the access control list: of passwords, the gateway's is kept as its hash alone. */
const writeAccess = `gateway_hash=$(secret ${redisGatewaySecret.name} | sha256sum | cut -d ' ' -f 1)
cluster_password=$(secret redis-cluster)
cluster_hash=$(printf '%s' "$cluster_password" | sha256sum | cut -d ' ' -f 1)
put_file ${acl} 0600 redis:redis <<END_OF_ACL
user default off
user ${gatewayUser} on #$gateway_hash ${gatewayRules}
user ${clusterUser} on #$cluster_hash ~* &* +@all
END_OF_ACL
put_file ${auth} 0600 redis:redis <<END_OF_AUTH
masteruser ${clusterUser}
masterauth $cluster_password
END_OF_AUTH`

/** Functions that speak to servers as the user of the cluster; need \`cluster_password\`, \`say\` and \`fail\`. */
export const redisFunctions = `redis_cli() { REDISCLI_AUTH=$cluster_password redis-cli --user ${clusterUser} --no-auth-warning "$@"; }
of_server() { redis_cli -h "\${1%:*}" -p "\${1##*:}" "\${@:2}"; }
await_redis() { # ADDRESS:PORT
  for _ in $(seq 1 120); do
    [ "$(of_server "$1" ping 2>/dev/null)" != PONG ] || return 0
    sleep 0.25
  done
  fail "Redis at $1 does not answer within 30 s: \${2:-is its host up, does its firewall let this one in, and was it set up with the same secret (else raise redis.secret_version)}?"
}
cluster_info() { of_server "$1" cluster info | tr -d '\\r' | sed -n "s/^$2://p"; }`

/** Bash that joins servers to one cluster, and adds those that are not yet in it as replicas. */
export const makeCluster = ({ servers }: RedisRole) => `say 'redis cluster'
servers=(${servers.map(({ address, port }) => quote(`${address}:${port}`)).join(' ')})
members=()
strangers=()
for server in "\${servers[@]}"; do
  await_redis "$server"
  if [ "$(cluster_info "$server" cluster_known_nodes)" -gt 1 ]; then members+=("$server"); else strangers+=("$server"); fi
done
# Servers forget all that is at none of their addresses, once it serves no slots.
forget_others() { # ADDRESS:PORT...
  local server id
  for server in "$@"; do
    while read -r id; do
      will_change
      of_server "$server" cluster forget "$id" >/dev/null || true
    done < <(of_server "$server" cluster nodes | awk -v known=" $* " '{ address = $2; sub(/@.*/, "", address) } !index(known, " " address " ") && $3 !~ /myself/ && NF < 9 { print $1 }')
  done
}
# Servers are added once all members agree on the cluster: not while they wait for one that was made anew.
await_agreement() {
  for _ in $(seq 1 120); do
    forget_others "\${members[@]}"
    ! redis_cli --cluster check "\${members[0]}" >/dev/null 2>&1 || return 0
    sleep 0.25
  done
}
if [ "\${#members[@]}" -eq 0 ]; then
  will_change
  redis_cli --cluster create "\${servers[@]}" --cluster-replicas 1 --cluster-yes >&2 || fail 'redis-cli could not make the cluster (see above). Servers that hold data are never joined: empty them, then run this again'
else
  for server in "\${strangers[@]}"; do
    will_change
    await_agreement
    redis_cli --cluster add-node "$server" "\${members[0]}" --cluster-slave >&2 || fail "redis-cli could not add $server to the cluster (see above)"
    members+=("$server")
  done
fi
forget_others "\${servers[@]}"
is_whole() { # ADDRESS:PORT, as it sees the cluster: all slots are served, and every primary that should be has a replica
  [ "$(cluster_info "$1" cluster_state)" = ok ] && [ "$(of_server "$1" cluster nodes | grep -w slave | grep -vc fail)" -ge ${servers.length / 2} ]
}
for server in "\${servers[@]}"; do
  for _ in $(seq 1 120); do
    ! is_whole "$server" || continue 2
    sleep 0.25
  done
  fail "the cluster is not whole as $server sees it after 30 s: redis-cli --cluster check $server"
done`

/** Bash that starts the servers of this host, one after the other, those that must read something new again. */
export function startRedis({ redis }: HostDescription): string[] {
  if (!redis) return []
  const { ports, address } = redis
  return [
    `say 'redis'
${writeAccess}
${redisFunctions}
/lib/systemd/systemd-sysctl /etc/sysctl.d/91-gateway-redis.conf || true
version=$(redis-server --version | sed 's/.* v=\\([0-9]*\\).*/\\1/')
[ "$version" -ge 7 ] || fail "Redis $version is installed; 7 or newer is needed, as Debian 12 and Ubuntu 24.04 have it"
for port in ${ports.join(' ')}; do
  unit=redis-server@$port.service
  read_by_unit=("/etc/redis/redis-$port.conf" ${acl} ${auth})
  install -d -m 0750 -o redis -g redis "/var/lib/redis/$port"
  systemctl enable --quiet "$unit"
  if ! runs_with "$unit" "\${read_by_unit[@]}"; then
    will_change
    systemctl reset-failed "$unit" 2>/dev/null || true
    systemctl restart "$unit" || fail "$unit did not start: journalctl -u $unit"
    await_redis ${quote(address)}":$port" "journalctl -u $unit"
    now_runs_with "$unit" "\${read_by_unit[@]}"
  fi
done`,
    ...(redis.makesCluster ? [makeCluster(redis)] : []),
  ]
}

/**
 * What gateways are told of Redis: the servers, where their password is, and that certificates are shared there.
 * @param sharesCertificates - false where their configuration says itself where certificates are kept
 */
export const redisSettings = (
  servers: readonly RedisServer[],
  sharesCertificates = true,
) => `# Made by the deployment.
redis:
  cluster: [${servers.map(({ address, port }) => `'${isIP(address) === 6 ? `[${address}]` : address}:${port}'`).join(', ')}]
  username: ${gatewayUser}
  password: \${file:${secretPath(redisGatewaySecret)}}
${sharesCertificates ? `certificate_store: { kind: redis, encryption_key: '\${file:${secretPath(certificateStoreSecret)}}' }\n` : ''}`
