import {
  type HostDescription,
  type HostFile,
  isGateway,
  packageName,
  program,
  serviceUnit,
} from './description.ts'

const keyring = '/etc/apt/keyrings/gateway.asc'

/** The repository of the package, if one is given, and the key that it must be signed with. */
export function repositoryFiles({ aptRepository: repository }: HostDescription): HostFile[] {
  if (!repository) return []
  const { url, suite = 'stable', component = 'main', signingKey } = repository
  const source = `Types: deb\nURIs: ${url}\nSuites: ${suite}\nComponents: ${component}\nSigned-By: ${keyring}\n`
  return [
    { path: keyring, mode: '0644', owner: 'root:root', content: signingKey },
    { path: '/etc/apt/sources.list.d/gateway.sources', mode: '0644', owner: 'root:root', content: source },
  ]
}

/** Tools that the other steps use → the packages that bring them. */
const tools = {
  'iptables-restore': 'iptables',
  'mkfs.xfs': 'xfsprogs',
  modprobe: 'kmod',
  openssl: 'openssl',
}
const edgeTools = { haproxy: 'haproxy', keepalived: 'keepalived', ip: 'iproute2' }
const dnsTools = { nsupdate: 'bind9-dnsutils', dig: 'bind9-dnsutils' }
const redisTools = { 'redis-server': 'redis-server', 'redis-cli': 'redis-tools' }

/** The instance that the distribution starts at once must not: ours have other files. */
const maskRedis = 'command -v redis-server >/dev/null || systemctl mask --quiet redis-server.service'

/** The package as it was downloaded is kept, and so is the one before: what a new version is gone back from to. */
const installGateway = ({ aptRepository }: HostDescription) => {
  if (!aptRepository) {
    return `[ -x ${program} ] || fail '${packageName} is not installed, and no apt repository is given. Set apt_repository in environment.yaml, or use an image that holds the package'`
  }
  const { version } = aptRepository
  // What runs is not upgraded while hosts are prepared.
  const take = '[ "$mode" = prepare ] && [ -n "$old_version" ] || packages+=("$package")'
  return version === undefined
    ? `${download}
if [ -z "$old_version" ]; then
  download ${packageName}
  ${take}
fi`
    : `${download}
if [ "$old_version" != ${version} ]; then
  package=$(compgen -G "$kept/${packageName}_${version}_*.deb") || download ${packageName}=${version}
  ${take}
fi`
}

const download = `download() { # PACKAGE[=VERSION] → its path in $package
  local new
  new=$(mktemp -d "$kept/new.XXXXXX")
  update_lists
  (cd "$new" && quietly apt-get -qq download "$1") || { rm -rf "$new"; fail "the package $1 could not be downloaded (see above)"; }
  package=$kept/$(ls "$new")
  mv -f "$new"/* "$kept/" && rmdir "$new"
}`

const upgrade = `version() { dpkg-query --show --showformat='\${Version}' ${packageName} 2>/dev/null || true; }
installed() { dpkg-query --show --showformat='\${Package}\\n' | sort; }
main_pid() { systemctl show --property=MainPID --value ${serviceUnit}; }
kept=$state/downloads
quietly() { # COMMAND…, of which only the output of a failure is shown
  local code=0 output
  output=$("$@" 2>&1) || code=$?
  [ "$code" -eq 0 ] || printf '%s\\n' "$output" >&2
  return $code
}
apt_install() { # PACKAGE…; units that are new wait for their configuration
  local code=0 before
  before=$(installed)
  [ "\${#new_units[@]}" -eq 0 ] || systemctl mask --runtime --quiet "\${new_units[@]}"
  quietly apt-get -o DPkg::Lock::Timeout=120 -o Dpkg::Options::=--force-confold -qq install --yes --no-install-recommends --allow-downgrades "$@" || code=$?
  [ "\${#new_units[@]}" -eq 0 ] || systemctl unmask --runtime --quiet "\${new_units[@]}"
  comm -13 <(echo "$before") <(installed) >>"$state/packages"
  return $code
}
update_lists() {
  [ -z "$lists_are_new" ] || return 0
  quietly apt-get -o DPkg::Lock::Timeout=120 -qq update || fail 'apt-get update failed (see above): is the repository reachable, and signed with the key given?'
  lists_are_new=yes
}
install -d -m 0700 "$state" "$kept"
packages=()
new_units=()
lists_are_new=
upgraded_from= # until the new version is ready
old_version=$(version)
go_back() {
  say "going back to ${packageName} $upgraded_from"
  apt_install "$kept/${packageName}_\${upgraded_from}_"*.deb || say "${packageName} $upgraded_from could not be installed again (see above)"
}
trap '[ -z "$upgraded_from" ] || go_back' EXIT`

/** Bash that installs what the roles of the host need and it has not; a new gateway takes over from the old one. */
export function installPackages(host: HostDescription): string {
  const { edge, redis, dns } = host
  const unitsOf = [
    ...(edge ? ['haproxy.service', 'keepalived.service'] : []),
    ...(isGateway(host) ? [serviceUnit] : []),
  ]
  const needed = Object.entries({
    ...tools,
    ...(edge && edgeTools),
    ...(redis && redisTools),
    ...(dns && dnsTools),
  })
  return `say 'packages'
${upgrade}
${needed.map(([tool, name]) => `command -v ${tool} >/dev/null || packages+=(${name})`).join('\n')}
${[...(redis ? [maskRedis] : []), ...(isGateway(host) ? [installGateway(host)] : [])].join('\n')}
if [ "\${#packages[@]}" -gt 0 ]; then
  will_change
  update_lists
  say "installing \${packages[*]##*/}"
${unitsOf.map((unit) => `  systemctl cat ${unit} >/dev/null 2>&1 || new_units+=(${unit})`).join('\n')}
  old_pid=$(main_pid)
  [ -z "$old_version" ] || ! compgen -G "$kept/${packageName}_\${old_version}_*.deb" >/dev/null || upgraded_from=$old_version
  apt_install "\${packages[@]}" || fail "apt-get could not install \${packages[*]} (see above)"
  if [ "$(version)" = "$old_version" ]; then
    upgraded_from=
  elif [ -n "$old_version" ] && [ "$old_pid" -gt 0 ] && [ "$(main_pid)" = "$old_pid" ]; then
    fail "${packageName} $(version) did not become ready; $old_version goes on: journalctl -u ${serviceUnit}"
  fi
fi`
}
