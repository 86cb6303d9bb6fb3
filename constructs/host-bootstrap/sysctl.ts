import type { HostFile } from './description.ts'

/*
 * Kernel parameters for many connections. A leading "-" lets systemd-sysctl go on where a kernel does not know the key,
 * or a container may not set it.
 * Source: Linux Documentation/admin-guide/sysctl/net.rst and Documentation/networking/ip-sysctl.rst.
 */
const parameters: readonly (readonly [key: string, value: string, why: string])[] = [
  ['net.core.somaxconn', '4096', 'connections that wait to be accepted'],
  ['net.ipv4.tcp_max_syn_backlog', '8192', 'handshakes under way'],
  ['net.ipv4.tcp_syncookies', '1', 'a flood of handshakes does not keep others out'],
  ['-net.ipv4.tcp_migrate_req', '1', 'a worker that ends hands its waiting connections to the others (5.14)'],
  ['-net.core.netdev_max_backlog', '16384', 'packets that wait for a core'],
  ['net.ipv4.ip_local_port_range', '16384 65535', 'connections to upstreams; below are ports of services'],
  ['net.ipv4.tcp_tw_reuse', '1', 'ports of closed upstream connections are used again'],
  ['net.ipv4.tcp_fin_timeout', '15', 'seconds that an orphan waits for the other side to close'],
  ['net.ipv4.tcp_slow_start_after_idle', '0', 'kept-alive connections stay fast'],
  ['net.ipv4.tcp_mtu_probing', '1', 'connections survive a path that swallows large packets'],
  ['-net.netfilter.nf_conntrack_max', '1048576', 'connections that the firewall follows'],
  ['-net.netfilter.nf_conntrack_tcp_timeout_established', '3600', 'seconds until a silent one is forgotten'],
  ['net.ipv4.conf.all.accept_redirects', '0', 'nobody on the network changes routes'],
  ['net.ipv6.conf.all.accept_redirects', '0', 'nobody on the network changes routes'],
  ['net.ipv4.conf.all.send_redirects', '0', 'a gateway is no router'],
]

/** Most files and sockets that the service may hold open. */
export const openFiles = 1_048_576

/** sysctl settings, the module they need, and the limits of people's sessions (the unit sets its own). */
export const sysctlFiles = (): HostFile[] => [
  {
    path: '/etc/sysctl.d/90-gateway.conf',
    mode: '0644',
    owner: 'root:root',
    content: parameters.map(([key, value, why]) => `# ${why}\n${key} = ${value}\n`).join(''),
  },
  {
    path: '/etc/modules-load.d/gateway.conf',
    mode: '0644',
    owner: 'root:root',
    content: '# its sysctl keys exist once it is loaded\nnf_conntrack\n',
  },
  {
    path: '/etc/security/limits.d/90-gateway.conf',
    mode: '0644',
    owner: 'root:root',
    content: ['root', 'gateway']
      .map((user) => `${user} soft nofile ${openFiles}\n${user} hard nofile ${openFiles}\n`)
      .join(''),
  },
]

/** Bash that loads the settings; they also load at every boot. */
export const applySysctl = () => `say 'kernel parameters'
modprobe nf_conntrack 2>/dev/null || true
/lib/systemd/systemd-sysctl /etc/sysctl.d/90-gateway.conf || fail 'the kernel refused a parameter of /etc/sysctl.d/90-gateway.conf (see above)'`
