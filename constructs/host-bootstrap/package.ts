import { type HostDescription, type HostFile, isGateway, packageName, program } from './description.ts'

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
const redisTools = { 'redis-server': 'redis-server', 'redis-cli': 'redis-tools' }

/** The instance that the distribution starts at once must not: ours have other files. */
const maskRedis = 'command -v redis-server >/dev/null || systemctl mask --quiet redis-server.service'

const installGateway = ({ aptRepository }: HostDescription) =>
  aptRepository
    ? `packages+=(${packageName})`
    : `[ -x ${program} ] || fail '${packageName} is not installed, and no apt repository is given. Set apt_repository in environment.yaml, or use an image that holds the package'`

/** Bash that installs what the roles of the host need and it has not. */
export const installPackages = (host: HostDescription) => `say 'packages'
version() { dpkg-query --show --showformat='\${Version}' ${packageName} 2>/dev/null || true; }
packages=()
old_version=$(version)
${Object.entries({ ...tools, ...(host.edge && edgeTools), ...(host.redis && redisTools) })
  .map(([tool, name]) => `command -v ${tool} >/dev/null || packages+=(${name})`)
  .join('\n')}
${[...(host.redis ? [maskRedis] : []), ...(isGateway(host) ? [installGateway(host)] : [])].join('\n')}
if [ "\${#packages[@]}" -gt 0 ]; then
  apt-get -o DPkg::Lock::Timeout=120 -qq update || fail 'apt-get update failed (see above): is the repository reachable, and signed with the key given?'
  apt-get -o DPkg::Lock::Timeout=120 -qq install --yes --no-install-recommends "\${packages[@]}" || fail "apt-get could not install \${packages[*]} (see above)"
fi
[ "$(version)" = "$old_version" ] || will_change`
