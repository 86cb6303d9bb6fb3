import { isIPv6 } from 'node:net'
import { adminTlsPort, type HostDescription, type HostFile, statusPort } from './description.ts'

const directory = '/etc/iptables'

/** Rules for iptables-restore: what is not named is dropped. Without a description: those of a host that has none. */
export function renderFirewallRules(family: 4 | 6, host: Partial<HostDescription> = {}): string {
  const ofFamily = (networks: readonly string[] = []) =>
    [...new Set(networks)].filter((network) => isIPv6(network.split('/')[0]!) === (family === 6)).sort()
  const open = (port: number, networks: readonly string[]) =>
    networks.map((network) => `-A INPUT -s ${network} -p tcp --dport ${port} -j ACCEPT`)
  const management = ofFamily(host.managementNetworks)
  return [
    '*filter',
    ':INPUT DROP [0:0]',
    ':FORWARD DROP [0:0]',
    ':OUTPUT ACCEPT [0:0]',
    '-A INPUT -i lo -j ACCEPT',
    '-A INPUT -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT',
    '-A INPUT -m conntrack --ctstate INVALID -j DROP',
    // IPv6 has no neighbours and no path MTU without ICMP, and no address without DHCPv6 where that is used.
    ...(family === 6
      ? ['-A INPUT -p ipv6-icmp -j ACCEPT', '-A INPUT -s fe80::/10 -p udp --dport 546 -j ACCEPT']
      : ['-A INPUT -p icmp --icmp-type echo-request -m limit --limit 10/second -j ACCEPT']),
    ...[...new Set(host.ingressPorts ?? [80, 443])].map(
      (port) => `-A INPUT -p tcp --dport ${port} -j ACCEPT`,
    ),
    ...open(host.sshPort ?? 22, management),
    ...open(adminTlsPort, management),
    ...open(statusPort, ofFamily(host.monitoringNetworks)),
    'COMMIT',
    '',
  ].join('\n')
}

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
ExecStart=/usr/sbin/iptables-restore ${directory}/rules.v4
ExecStart=/usr/sbin/ip6tables-restore ${directory}/rules.v6

[Install]
WantedBy=sysinit.target
`

/** The firewall of a host, and the unit that loads it before the network is up. */
export const firewallFiles = (host: HostDescription): HostFile[] => [
  { path: `${directory}/rules.v4`, mode: '0600', owner: 'root:root', content: renderFirewallRules(4, host) },
  { path: `${directory}/rules.v6`, mode: '0600', owner: 'root:root', content: renderFirewallRules(6, host) },
  { path: '/etc/systemd/system/gateway-firewall.service', mode: '0644', owner: 'root:root', content: unit },
]

/** Bash that loads the rules, each family as a whole or not at all. */
export const applyFirewall = () => `say 'firewall'
iptables-restore --test ${directory}/rules.v4 || fail 'iptables refused ${directory}/rules.v4 (see above); the old rules stay'
ip6tables-restore --test ${directory}/rules.v6 || fail 'ip6tables refused ${directory}/rules.v6 (see above); the old rules stay'
systemctl enable --quiet gateway-firewall.service
systemctl restart gateway-firewall.service || fail 'the firewall did not load: journalctl -u gateway-firewall'`
