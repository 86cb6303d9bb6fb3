import {
  adminPort,
  adminTlsPort,
  type HostDescription,
  isGateway,
  serviceUnit,
  statusPort,
} from './description.ts'
import { edgeHealthPort } from './edge.ts'
import { busPort, redisUnit } from './redis.ts'

/** Ports that must be free, or held by the unit that is to hold them. */
function portsByUnit(host: HostDescription): [unit: string, ports: number[]][] {
  const { edge, redis, ingressPorts = [80, 443] } = host
  return [
    ...(isGateway(host)
      ? [[serviceUnit, [...ingressPorts, adminPort, adminTlsPort, statusPort]] as [string, number[]]]
      : []),
    ...(edge
      ? [['haproxy.service', [...edge.ports.map(({ port }) => port), edgeHealthPort]] as [string, number[]]]
      : []),
    ...(redis?.ports ?? []).map((port): [string, number[]] => [redisUnit(port), [port, busPort(port)]]),
  ]
}

/** Bash that stops with a reason, before anything was changed, on a host that cannot have its roles. */
export function audit(host: HostDescription): string {
  return `say 'audit'
[ "$(id -u)" -eq 0 ] || fail 'root is needed, for the firewall and for ports below 1024. Run it with sudo'
[ -d /run/systemd/system ] || fail 'this host does not run systemd, which the service needs'
command -v apt-get >/dev/null || fail 'this host has no apt-get. Use Debian 12 or newer, or Ubuntu 22.04 or newer'
kernel=$(uname -r)
[ "\${kernel%%.*}" -ge 5 ] || fail "the kernel is $kernel; 5.0 or newer is needed"
for folder in /etc /usr /var /var/lib /var/log; do
  free=$(df --output=avail --block-size=1M -- "$folder" | tail -n 1)
  [ "$free" -ge 256 ] || fail "only $((free)) MiB are free in $folder; 256 are needed. Make room, then run this again"
done
grep -qwE '(flags|Features)[[:space:]]*:.* aes' /proc/cpuinfo || fail 'the CPU has no AES instructions (AES-NI), without which TLS is slow. Choose other hardware, or switch them on in the firmware'
check_ports() { # UNIT PORT…
  local unit=$1 port holder pid
  for port in "\${@:2}"; do
    while read -r holder; do
      pid=\${holder#*pid=}
      grep -qF "/$unit" "/proc/\${pid%%,*}/cgroup" 2>/dev/null || fail "port $port is taken: \${holder##* }. Stop that program, then run this again"
    done < <(ss --no-header --listening --tcp --numeric --processes "sport = :$port")
  done
}
${portsByUnit(host)
  .map(([unit, ports]) => `check_ports ${unit} ${[...new Set(ports)].join(' ')}`)
  .join('\n')}`
}
