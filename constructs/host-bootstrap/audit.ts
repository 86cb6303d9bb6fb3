import { adminPort, adminTlsPort, type HostDescription, serviceUnit, statusPort } from './description.ts'

/** Bash that stops with a reason, before anything was changed, on a host that cannot be a gateway. */
export function audit(host: HostDescription): string {
  const ports = [...new Set([...(host.ingressPorts ?? [80, 443]), adminPort, adminTlsPort, statusPort])]
  return `say 'audit'
[ "$(id -u)" -eq 0 ] || fail 'root is needed, for the firewall and for ports below 1024. Run it with sudo'
[ -d /run/systemd/system ] || fail 'this host does not run systemd, which the service needs'
command -v apt-get >/dev/null || fail 'this host has no apt-get. Use Debian 12 or newer, or Ubuntu 22.04 or newer'
kernel=$(uname -r)
[ "\${kernel%%.*}" -ge 5 ] || fail "the kernel is $kernel; 5.0 or newer is needed"
for folder in /etc /usr /var /var/log; do
  free=$(df --output=avail --block-size=1M -- "$folder" | tail -n 1)
  [ "$free" -ge 256 ] || fail "only $((free)) MiB are free in $folder; 256 are needed. Make room, then run this again"
done
grep -qwE '(flags|Features)[[:space:]]*:.* aes' /proc/cpuinfo || fail 'the CPU has no AES instructions (AES-NI), without which TLS is slow. Choose other hardware, or switch them on in the firmware'
service_pid=$(systemctl show --property=MainPID --value ${serviceUnit} 2>/dev/null || echo 0)
for port in ${ports.join(' ')}; do
  holder=$(ss --no-header --listening --tcp --numeric --processes "sport = :$port" | grep -v "pid=$service_pid," || true)
  [ -z "$holder" ] || fail "port $port is taken: \${holder##* }. Stop that program, then run this again"
done`
}
