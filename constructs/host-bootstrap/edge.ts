import { isIP } from 'node:net'
import { type HostDescription, type HostFile, statusPort } from './description.ts'
import { quote } from './shell.ts'

/** An address that clients use, held by one edge at a time. */
export interface VirtualIp {
  /** IP address of the family of the edges' own. */
  readonly address: string
  /**
   * IPv6 address that moves with an IPv4 one.
   * @default none
   */
  readonly ipv6?: string
  /** Of the edges that live, the one with the highest holds it: 1 to 254. */
  readonly priority: number
}

/** What makes a host an edge: HAProxy in front of the gateways, keepalived for the virtual IPs. */
export interface EdgeRole {
  /** IP address of this host. */
  readonly address: string
  /** IP addresses of the other edges. */
  readonly peers: readonly string[]
  /** At least one; the same in the same order on every edge, but for priorities. */
  readonly virtualIps: readonly VirtualIp[]
  /** At least one gateway. */
  readonly gateways: readonly { readonly name: string; readonly address: string }[]
  /** TCP ports of clients → those of the gateways' listeners, which take PROXY headers. */
  readonly ports: readonly { readonly port: number; readonly gatewayPort: number }[]
}

/** Where HAProxy answers keepalived, on loopback: 200 while it has a gateway to send to. */
export const edgeHealthPort = 8404
const haproxyConf = '/etc/haproxy/haproxy.cfg'
const keepalivedConf = '/etc/keepalived/keepalived.conf'
const healthScript = '/usr/local/lib/gateway/edge-health'
/** Which interface has the address of the host: it alone knows. */
const interfaceConf = '/etc/keepalived/interface.conf'

/** All that is wrong with the role, one sentence each. */
export function edgeProblems({ address, peers, virtualIps, gateways, ports }: EdgeRole): string[] {
  const family = isIP(address)
  const required: [boolean, string][] = [
    [virtualIps.length > 0 && virtualIps.length <= 16, 'edge.virtualIps: expected 1 to 16'],
    [gateways.length > 0, 'edge.gateways: expected at least one, got none'],
    [ports.length > 0, 'edge.ports: expected at least one, got none'],
    ...gateways.map(({ name }): [boolean, string] => [
      /^[a-z][a-z0-9-]{0,62}$/.test(name),
      `edge.gateways: expected lower-case letters, digits and "-", got ${JSON.stringify(name)}`,
    ]),
    ...[address, ...peers, ...gateways.map((gateway) => gateway.address)].map((text): [boolean, string] => [
      isIP(text) !== 0 && isIP(text) === family,
      `edge: expected IP addresses of one family, got ${JSON.stringify(text)}`,
    ]),
    ...virtualIps.flatMap((vip): [boolean, string][] => [
      [
        isIP(vip.address) === family,
        `edge.virtualIps: expected an address of the family of the edges, got ${JSON.stringify(vip.address)}`,
      ],
      [
        vip.ipv6 === undefined || (family === 4 && isIP(vip.ipv6) === 6),
        `edge.virtualIps: expected an IPv6 address beside an IPv4 one, got ${JSON.stringify(vip.ipv6)}`,
      ],
      [
        Number.isInteger(vip.priority) && vip.priority >= 1 && vip.priority <= 254,
        `edge.virtualIps: expected a priority from 1 to 254, got ${vip.priority}`,
      ],
    ]),
  ]
  return required.filter(([holds]) => !holds).map(([, problem]) => problem)
}

const endpoint = (address: string, port: number) =>
  `${isIP(address) === 6 ? `[${address}]` : address}:${port}`

/**
 * Health is asked of the first port's servers; those of the others follow it. A gateway that says "not ready" gets no new
 * connections, and finishes what it has; one that says nothing for three checks, in less than 2 s, has its connections
 * closed, so that clients go elsewhere. Three, since a lost packet is sent again after the time of one.
 */
function backend({ gateways, ports, address }: EdgeRole, index: number): string {
  const { port, gatewayPort } = ports[index]!
  const first = ports[0]!.port
  const check = index === 0 ? `check port ${statusPort} inter 300ms fastinter 150ms fall 3 rise 2` : undefined
  const servers = gateways.map(({ name, address: gateway }) =>
    [
      `  server ${name} ${endpoint(gateway, gatewayPort)} send-proxy-v2 source ${address}`,
      check ?? `track gateways-${first}/${name}`,
      'on-marked-down shutdown-sessions',
    ].join(' '),
  )
  return `frontend ingress-${port}
  bind :${port}
  bind [::]:${port} v6only
  default_backend gateways-${port}

backend gateways-${port}
  balance leastconn
${index === 0 ? '  option httpchk GET /readyz\n  http-check expect status 200 error-status L7OKC\n' : ''}${servers.join('\n')}
`
}

// Idle connections are the gateway's to close: it knows its requests.
const haproxy = (edge: EdgeRole) => `# Made by the deployment.
global
  log /dev/log local0 notice
  chroot /var/lib/haproxy
  user haproxy
  group haproxy
  hard-stop-after 60s

defaults
  mode tcp
  log global
  option dontlognull
  option redispatch 1
  option clitcpka
  option srvtcpka
  # a connection that waits for a gateway is closed when that is marked down: by then it has gone elsewhere
  retries 8
  timeout connect 400ms
  timeout check 400ms
  timeout client 1h
  timeout server 1h
  timeout client-fin 30s
  timeout server-fin 30s

frontend health
  bind 127.0.0.1:${edgeHealthPort}
  mode http
  timeout client 5s
  monitor-uri /
  acl alone nbsrv(gateways-${edge.ports[0]!.port}) lt 1
  monitor fail if alone

${edge.ports.map((_, index) => backend(edge, index)).join('\n')}`

/*
 * VRRP version 3 (RFC 5798) with unicast: peers are given by name, and the firewall lets protocol 112 in from them
 * alone. Adverts every 200 ms: the others take over after three of them, in less than a second.
 */
const instance = (
  { address, peers }: EdgeRole,
  { address: vip, ipv6, priority }: VirtualIp,
  index: number,
) => `
vrrp_instance vip_${index + 1} {
  state BACKUP
  interface $INTERFACE
  virtual_router_id ${51 + index}
  priority ${priority}
  version 3
  advert_int 0.2
  # an edge that comes back waits, so that one that comes and goes does not take the address along
  preempt_delay 30
  garp_master_delay 1
  garp_master_repeat 3
  garp_master_refresh 60
  garp_lower_prio_repeat 1
  unicast_src_ip ${address}
  unicast_peer {
${peers.map((peer) => `    ${peer}`).join('\n')}
  }
  virtual_ipaddress {
    ${vip}/${isIP(vip) === 6 ? 128 : 32} dev $INTERFACE
  }
${ipv6 ? `  virtual_ipaddress_excluded {\n    ${ipv6}/128 dev $INTERFACE\n  }\n` : ''}  track_script {
    balancer
  }
}
`

const keepalived = (edge: EdgeRole) => `# Made by the deployment.
include ${interfaceConf}
global_defs {
  enable_script_security
  script_user nobody nogroup
  # adverts are on time also where the host has more to do than it can
  vrrp_rt_priority 50
  vrrp_no_swap
}

vrrp_script balancer {
  script ${healthScript}
  interval 1
  timeout 2
  fall 2
  rise 2
}
${edge.virtualIps.map((vip, index) => instance(edge, vip, index)).join('')}`

const health = `#!/bin/bash
# Whether the balancer of this host runs and has a gateway to send to.
exec 3<>/dev/tcp/127.0.0.1/${edgeHealthPort} || exit 1
printf 'GET / HTTP/1.0\\r\\n\\r\\n' >&3
read -r -t 1 _ status _ <&3 && [ "$status" = 200 ]
`

/** The balancer, keepalived and its health script; the interface is written by `startEdge`. */
export const edgeFiles = ({ edge }: HostDescription): HostFile[] =>
  edge
    ? [
        { path: healthScript, mode: '0755', owner: 'root:root', content: health },
        { path: haproxyConf, mode: '0644', owner: 'root:root', content: haproxy(edge) },
        { path: keepalivedConf, mode: '0600', owner: 'root:root', content: keepalived(edge) },
      ]
    : []

/** Bash that starts the balancer, then keepalived; what runs already reads what is new, and keeps its connections. */
export const startEdge = ({ edge }: HostDescription) =>
  edge
    ? [
        `say 'edge'
read -r _ interface _ < <(ip -o address show to ${quote(edge.address)}) || fail ${quote(`no interface of this host has ${edge.address}, which environment.yaml gives as its address`)}
put_file ${interfaceConf} 0644 root:root < <(printf '%cINTERFACE=%s\\n' '$' "$interface")
haproxy -c -q -f ${haproxyConf} || fail 'HAProxy refused ${haproxyConf} (see above); it goes on with the old one'
systemctl enable --quiet haproxy.service keepalived.service
if ! runs_with haproxy.service ${haproxyConf}; then
  will_change
  systemctl reload-or-restart haproxy.service || fail 'HAProxy did not start: journalctl -u haproxy'
  now_runs_with haproxy.service ${haproxyConf}
fi
if ! runs_with keepalived.service ${keepalivedConf} ${interfaceConf} ${healthScript}; then
  will_change
  systemctl reload-or-restart keepalived.service || fail 'keepalived did not start: journalctl -u keepalived'
  now_runs_with keepalived.service ${keepalivedConf} ${interfaceConf} ${healthScript}
fi`,
      ]
    : []
