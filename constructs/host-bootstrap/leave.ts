import { type HostDescription, type HostFile, isGateway, serviceUnit } from './description.ts'
import { logSpaceTimer } from './log-space.ts'
import { logMountUnit } from './log-volume.ts'
import { quote } from './shell.ts'

/** On every host: takes off it what the deployment has put there, all of it or a role. */
export const leaveProgram = '/usr/local/sbin/gateway-leave'
const state = '/var/lib/gateway-bootstrap'

const roles = ['edge', 'gateway', 'redis'] as const

/*
 * What was made is written down while it is made: files in $state/files, packages in $state/packages, policies of the
 * firewall in $state/policies.v4. An edge gives its addresses to the others, a server of Redis its slots to a replica,
 * a gateway finishes its requests.
 */
const program = `#!/usr/bin/env bash
# gateway-leave [ROLE…]: takes off this host what the deployment has put there; without a role, all of it; the role dns
# is the records. Made by the deployment.
set -uo pipefail
export LC_ALL=C DEBIAN_FRONTEND=noninteractive
state=${state}
say() { printf 'gateway-leave: %s\\n' "$*" >&2; }
stop_unit() { ! systemctl cat "$1" >/dev/null 2>&1 || systemctl disable --now --quiet "$1"; }
remove_files() { # PREFIX…: a file that was there before is put back
  local kind path prefix
  [ -e "$state/files" ] || return 0
  while read -r kind path; do
    for prefix; do
      [[ $path == "$prefix"* ]] || continue
      rm -f -- "$path"
      [ "$kind" != replaced ] || cp --archive -- "$state/originals/\${path//\\//_}" "$path"
    done
  done <"$state/files"
}
leave_dns() { # the names lead nowhere
  [ -e "$state/dns.leave" ] || return 0
  say 'dns: taking the records away'
  nsupdate -t 10 -k "$state/dns.key" "$state/dns.leave" || say 'dns: the server refused that (see above)'
  rm -f -- "$state/dns.key" "$state/dns.leave"
}
leave_edge() {
  say 'edge: the others take the addresses over'
  stop_unit keepalived.service
  stop_unit haproxy.service
  remove_files /etc/keepalived/ /etc/haproxy/ /usr/local/lib/gateway/
}
leave_gateway() {
  say 'gateway: finishing requests'
  stop_unit ${serviceUnit}
  rm -f $state/settings $state/${serviceUnit}.sums
}
of_redis() { REDISCLI_AUTH=$password redis-cli -h localhost --user cluster --no-auth-warning "$@"; }
hand_over() { # PORT: a replica takes the slots of this server
  local port=$1 id replica
  of_redis -p "$port" role 2>/dev/null | head -n 1 | grep -q master || return 0
  id=$(of_redis -p "$port" cluster myid)
  replica=$(of_redis -p "$port" cluster nodes | awk -v id="$id" '$4 == id && $3 !~ /fail/ { sub(/@.*/, "", $2); print $2; exit }')
  [ -n "$replica" ] || return 0
  of_redis -h "\${replica%:*}" -p "\${replica##*:}" cluster failover >/dev/null
  for _ in $(seq 1 40); do
    ! of_redis -p "$port" role | head -n 1 | grep -q slave || return 0
    sleep 0.25
  done
  say "redis: $replica has not taken over from port $port within 10 s"
}
leave_redis() {
  local file port password
  say 'redis: handing over to replicas'
  password=$(sed -n 's/^masterauth //p' /etc/redis/gatehouse-auth.conf 2>/dev/null)
  for file in /etc/redis/redis-[0-9]*.conf; do
    port=\${file//[!0-9]/}
    [ -n "$port" ] || continue
    hand_over "$port"
    stop_unit "redis-server@$port.service"
    rm -rf -- "/var/lib/redis/$port"
  done
  remove_files /etc/redis/ /etc/sysctl.d/91-gateway-redis.conf
  systemctl unmask --quiet redis-server.service
}
# shellcheck disable=SC2016 # dpkg-query's own
present() { xargs -r dpkg-query --show --showformat='\${Package}\\n' 2>/dev/null; }
would_go() { apt-get -qq --simulate purge "$@" | sed -n 's/^Purg \\([^ ]*\\).*/\\1/p' | sort -u; }
remove_packages() { # those that came with the deployment; where others need some by now, only what it asked for itself
  local packages
  mapfile -t packages < <(sort -u "$state/packages" 2>/dev/null | present)
  [ -z "$(comm -13 <(printf '%s\\n' "\${packages[@]}") <(would_go "\${packages[@]}"))" ] ||
    mapfile -t packages < <(printf '%s\\n' "\${packages[@]}" | grep -x -e gateway-runtime -e haproxy -e keepalived -e redis-server -e redis-tools)
  [ "\${#packages[@]}" -gt 0 ] || return 0
  say "removing \${#packages[@]} packages"
  apt-get -o DPkg::Lock::Timeout=120 -qq purge --yes "\${packages[@]}" >/dev/null || { say 'apt-get could not remove them (see above)'; return 1; }
}
leave_all() {
  local family tables chain policy role
  for role in ${roles.join(' ')}; do
    [ ! -e "$state/roles/$role" ] || "leave_$role"
  done
  systemctl stop gateway-firewall-undo.timer 2>/dev/null
  for family in 4 6; do
    tables=iptables
    [ "$family" = 4 ] || tables=ip6tables
    [ -e "$state/policies.v$family" ] || continue
    while read -r _ chain policy; do $tables --wait -P "$chain" "$policy"; done <"$state/policies.v$family"
    $tables --wait -D INPUT -j GATEWAY
    $tables --wait -F GATEWAY && $tables --wait -X GATEWAY
  done
  stop_unit gateway-firewall.service
  stop_unit ${logSpaceTimer}
  stop_unit ${logMountUnit}
  remove_packages || return
  remove_files /
  systemctl daemon-reload
  rm -rf -- /var/backups/gateway "$state"
  [ -x /usr/sbin/haproxy ] || rm -rf /var/lib/haproxy # its purge leaves a socket there
  say 'this host is as it was'
}
if [ $# -eq 0 ]; then
  leave_all
else
  for role; do
    "leave_$role"
    rm -f -- "$state/roles/$role"
  done
fi
`

export const leaveFiles = (): HostFile[] => [
  { path: leaveProgram, mode: '0755', owner: 'root:root', content: program },
]

const isOf = (host: HostDescription) => ({
  edge: host.edge !== undefined,
  gateway: isGateway(host),
  redis: host.redis !== undefined,
})

/** Bash that leaves the roles that the host had and has no more, and remembers those that it gets. */
export function changeRoles(host: HostDescription): string {
  const has = isOf(host)
  const lines = roles.map((role) =>
    has[role]
      ? `: >"$state/roles/${role}"`
      : `if [ -e "$state/roles/${role}" ]; then will_change && ${quote(leaveProgram)} ${role}; fi`,
  )
  return `mkdir -p "$state/roles"\n${lines.join('\n')}`
}
