import { type HostDescription, type HostFile, packageName, program } from './description.ts'

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

/** Bash that installs the gateway and the tools that are missing. */
export const installPackages = (host: HostDescription) => `say 'packages'
version() { dpkg-query --show --showformat='\${Version}' ${packageName} 2>/dev/null || true; }
packages=()
old_version=$(version)
${Object.entries(tools)
  .map(([tool, name]) => `command -v ${tool} >/dev/null || packages+=(${name})`)
  .join('\n')}
${
  host.aptRepository
    ? `packages+=(${packageName})`
    : `[ -x ${program} ] || fail '${packageName} is not installed, and no apt repository is given. Set apt_repository in environment.yaml, or use an image that holds the package'`
}
if [ "\${#packages[@]}" -gt 0 ]; then
  apt-get -o DPkg::Lock::Timeout=120 -qq update || fail 'apt-get update failed (see above): is the repository reachable, and signed with the key given?'
  apt-get -o DPkg::Lock::Timeout=120 -qq install --yes --no-install-recommends "\${packages[@]}" || fail "apt-get could not install \${packages[*]} (see above)"
fi
[ "$(version)" = "$old_version" ] || will_change`
