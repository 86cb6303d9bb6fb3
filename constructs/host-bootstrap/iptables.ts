import { isIPv6 } from 'node:net'
import {
  adminTlsPort,
  type ClientLimits,
  type HostDescription,
  type HostFile,
  isGateway,
  statusPort,
} from './description.ts'
import { busPort, redisAddresses } from './redis.ts'

const directory = '/etc/iptables'

/** Our rules are a chain of their own, behind those that a host has already: they stay. */
const jump = '-A INPUT -j GATEWAY'

/** Who may reach a port: everyone, or the networks and addresses given. */
type Opening = readonly [port: number | typeof meshPorts, from: 'everyone' | readonly string[]]

const meshPorts = '10000:15000'
const usualLimits: ClientLimits = { connections: 4_000, newPerSecond: 400 }

function openings(host: Partial<HostDescription>): Opening[] {
  const {
    edge,
    edges = [],
    redis,
    managementNetworks = [],
    monitoringNetworks = [],
    meshNetworks = [],
  } = host
  const gatewayPorts = isGateway(host) ? [...new Set(host.ingressPorts ?? [80, 443])] : []
  const servers = redis ? redisAddresses(redis) : []
  return [
    ...(edge?.ports ?? []).map(({ port }): Opening => [port, 'everyone']),
    ...gatewayPorts.map((port): Opening => [port, edges.length > 0 ? edges : 'everyone']),
    [host.sshPort ?? 22, managementNetworks],
    ...(isGateway(host)
      ? ([
          [adminTlsPort, managementNetworks],
          [statusPort, [...monitoringNetworks, ...edges]],
          [meshPorts, meshNetworks],
        ] as const)
      : []),
    ...(redis?.ports ?? []).flatMap((port): Opening[] => [
      [port, [...redis!.clients, ...servers]],
      [busPort(port), servers],
    ]),
  ]
}

/** Rules for ports that are open to everyone, in front of those that open them. */
function limitRules(
  ports: readonly (number | string)[],
  { connections, newPerSecond }: ClientLimits,
  prefix: number,
) {
  if (ports.length === 0) return []
  const fresh = `-A GATEWAY -p tcp --syn -m multiport --dports ${ports.join(',')}`
  return [
    `${fresh} -m hashlimit --hashlimit-above ${newPerSecond}/second --hashlimit-burst ${2 * newPerSecond} ` +
      `--hashlimit-mode srcip --hashlimit-srcmask ${prefix} --hashlimit-name gateway -j DROP`,
    `${fresh} -m connlimit --connlimit-above ${connections} --connlimit-mask ${prefix} -j REJECT --reject-with tcp-reset`,
  ]
}

/** Rules for iptables-restore: what is not named is dropped. Without a description: those of a host that has none. */
export function renderFirewallRules(family: 4 | 6, host: Partial<HostDescription> = {}): string {
  const ofFamily = (networks: readonly string[] = []) =>
    [...new Set(networks)].filter((network) => isIPv6(network.split('/')[0]!) === (family === 6)).sort()
  const accept = ([port, from]: Opening) =>
    from === 'everyone'
      ? [`-A GATEWAY -p tcp --dport ${port} -j ACCEPT`]
      : ofFamily(from).map((network) => `-A GATEWAY -s ${network} -p tcp --dport ${port} -j ACCEPT`)
  const opened = openings(host)
  const open = opened.flatMap(([port, from]) => (from === 'everyone' ? [port] : []))
  const limits = host.clientLimits ?? (host.aws ? undefined : usualLimits)
  return [
    '*filter',
    ':INPUT DROP [0:0]',
    ':FORWARD DROP [0:0]',
    ':GATEWAY - [0:0]',
    jump,
    '-A GATEWAY -i lo -j ACCEPT',
    ...ofFamily(host.edge?.peers).map((peer) => `-A GATEWAY -s ${peer} -p 112 -j ACCEPT`),
    '-A GATEWAY -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT',
    '-A GATEWAY -m conntrack --ctstate INVALID -j DROP',
    // IPv6 has no neighbours and no path MTU without ICMP, and no address without DHCPv6 where that is used.
    ...(family === 6
      ? ['-A GATEWAY -p ipv6-icmp -j ACCEPT', '-A GATEWAY -s fe80::/10 -p udp --dport 546 -j ACCEPT']
      : ['-A GATEWAY -p icmp --icmp-type echo-request -m limit --limit 10/second -j ACCEPT']),
    ...(limits ? limitRules(open, limits, family === 6 ? 64 : 32) : []),
    ...opened.flatMap(accept),
    'COMMIT',
    '',
  ].join('\n')
}

/** Shell that loads the rules of a family at once, and leaves all others alone. */
const load = (program: 'iptables' | 'ip6tables', family: 4 | 6) =>
  `if ${program} --wait -C ${jump.slice(3)} 2>/dev/null; then grep -vxF -e "${jump}" ${directory}/rules.v${family}; ` +
  `else cat ${directory}/rules.v${family}; fi | ${program}-restore --wait --noflush`

const unit = `[Unit]
Description=Firewall of the API gateway
DefaultDependencies=no
Wants=network-pre.target
After=local-fs.target
Before=network-pre.target shutdown.target
Conflicts=shutdown.target

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/bin/sh -c '${load('iptables', 4)}'
ExecStart=/bin/sh -c '${load('ip6tables', 6)}'

[Install]
WantedBy=sysinit.target
`

/** The firewall of a host, and the unit that loads it before the network is up. */
export const firewallFiles = (host: HostDescription): HostFile[] => [
  { path: `${directory}/rules.v4`, mode: '0600', owner: 'root:root', content: renderFirewallRules(4, host) },
  { path: `${directory}/rules.v6`, mode: '0600', owner: 'root:root', content: renderFirewallRules(6, host) },
  { path: '/etc/systemd/system/gateway-firewall.service', mode: '0644', owner: 'root:root', content: unit },
]

const firewallUnit = 'gateway-firewall.service'
const guard = 'gateway-firewall-undo'
const before = '/run/gateway-firewall'

/**
 * Bash that loads the rules, each family as a whole or not at all. Where this script is cut off before `keepFirewall`,
 * such as with the session of who runs it, the rules from before are back after three minutes.
 */
export const applyFirewall = () => `say 'firewall'
rule_files=(${directory}/rules.v4 ${directory}/rules.v6)
iptables-restore --noflush --test ${directory}/rules.v4 || fail 'iptables refused ${directory}/rules.v4 (see above); the old rules stay'
ip6tables-restore --noflush --test ${directory}/rules.v6 || fail 'ip6tables refused ${directory}/rules.v6 (see above); the old rules stay'
if ! runs_with ${firewallUnit} "\${rule_files[@]}"; then
  will_change
  [ -e "$state/policies.v4" ] || iptables --wait -S | grep '^-P' >"$state/policies.v4"
  [ -e "$state/policies.v6" ] || ip6tables --wait -S | grep '^-P' >"$state/policies.v6"
  iptables-save -t filter >${before}.v4
  ip6tables-save -t filter >${before}.v6
  systemctl stop ${guard}.timer 2>/dev/null || true
  systemd-run --quiet --collect --unit=${guard} --on-active=180 /bin/sh -c 'iptables-restore ${before}.v4; ip6tables-restore ${before}.v6; systemctl stop gateway-firewall.service'
  systemctl restart ${firewallUnit} || fail 'the firewall did not load: journalctl -u gateway-firewall'
fi`

/** Bash that makes the rules stay, also over the next start. */
export const keepFirewall = () => `systemctl stop ${guard}.timer 2>/dev/null || true
systemctl enable --quiet ${firewallUnit}
now_runs_with ${firewallUnit} "\${rule_files[@]}"`
