import { audit } from './audit.ts'
import { awsFiles, prepareAws } from './aws-agent.ts'
import { ensureCertificate } from './certificate.ts'
import { configurationFiles, putConfiguration } from './configuration.ts'
import { type HostDescription, type HostFile, isGateway, problemsOf } from './description.ts'
import { edgeFiles, startEdge } from './edge.ts'
import { applyFirewall, firewallFiles, keepFirewall } from './iptables.ts'
import { applyLogVolume, auditLogVolume, logVolumeFiles } from './log-volume.ts'
import { installPackages, repositoryFiles } from './package.ts'
import { redisFiles, startRedis } from './redis.ts'
import { runningFunctions } from './running.ts'
import { putSecrets, readSecrets } from './secrets.ts'
import { hereDocument, quote } from './shell.ts'
import { applySysctl, sysctlFiles } from './sysctl.ts'
import { startService } from './systemd.ts'

/** What gives a bare Debian or Ubuntu host its roles. */
export interface HostBootstrap {
  /** Every file that the script puts on the host. */
  readonly files: readonly HostFile[]
  /**
   * One self-contained bash script, for root. It may be run any number of times; it stops at the first fault. Its
   * argument is the folder that holds the secrets of the host (`secretNames`), a file each, where it has some.
   */
  readonly script: string
}

const preamble = `#!/usr/bin/env bash
# Gives this host its roles in the gateway. It can be run again at any time: what is in place already is left alone.
set -euo pipefail
umask 022
export LC_ALL=C DEBIAN_FRONTEND=noninteractive
backups=/var/backups/gateway
changed= # whether this run has changed anything
say() { printf 'gateway-bootstrap: %s\\n' "$*" >&2; }
fail() { say "stopped: $*"; exit 1; }
will_change() { changed=yes; }
put_file() { # PATH MODE OWNER, content on standard input; a file that differs is kept in $backups
  local path=$1 mode=$2 owner=$3 new
  mkdir -p -- "$(dirname -- "$path")"
  new=$(mktemp -- "$(dirname -- "$path")/.gateway.XXXXXX")
  cat >"$new" || { rm -f -- "$new"; fail "$path could not be written (see above); what it held stays"; }
  chmod -- "$mode" "$new"
  chown -- "$owner" "$new"
  if [ -f "$path" ] && cmp --silent -- "$new" "$path"; then
    chmod -- "$mode" "$path"
    chown -- "$owner" "$path"
    rm -- "$new"
    return
  fi
  will_change
  if [ -e "$path" ]; then
    install -d -m 0700 "$backups"
    cp --archive --backup=numbered -- "$path" "$backups/\${path//\\//_}"
  fi
  mv -f -- "$new" "$path"
  say "wrote $path"
}`

const done = `if [ -n "$changed" ]; then say 'this host is ready'; else say 'this host is ready; nothing had to be changed'; fi`

const putFile = ({ path, mode, owner, content }: HostFile) =>
  `put_file ${quote(path)} ${mode} ${owner} ${hereDocument(content)}`

/**
 * Renders the files and the script of a host. Pure: equal descriptions give equal bytes.
 * @throws Error that names every field which is wrong
 */
export function renderHostBootstrap(host: HostDescription): HostBootstrap {
  const problems = problemsOf(host)
  if (problems.length > 0) throw new Error(`host bootstrap: ${problems.join('; ')}`)
  // The service and its configuration come late: nothing of a host that is not ready for them is touched.
  const before = repositoryFiles(host)
  const gateway = isGateway(host)
  const after = [
    ...sysctlFiles(),
    ...firewallFiles(host),
    ...(gateway ? [...logVolumeFiles(host), ...awsFiles(host)] : []),
  ]
  const [ofRedis, ofEdge] = [redisFiles(host), edgeFiles(host)]
  const configuration = gateway ? configurationFiles(host) : []
  const steps = [
    preamble,
    runningFunctions,
    audit(host),
    ...readSecrets(host),
    ...(gateway ? auditLogVolume(host) : []),
    ...before.map(putFile),
    installPackages(host),
    ...after.map(putFile),
    applySysctl(),
    ...(gateway ? [applyLogVolume(host)] : []),
    applyFirewall(),
    ...ofRedis.map(putFile),
    ...startRedis(host),
    ...(gateway
      ? [
          ensureCertificate(),
          ...prepareAws(host),
          ...putSecrets(host),
          ...putConfiguration(host),
          startService(host),
        ]
      : []),
    ...ofEdge.map(putFile),
    ...startEdge(host),
    keepFirewall(),
    done,
  ]
  return {
    files: [...before, ...after, ...ofRedis, ...configuration, ...ofEdge],
    script: `${steps.join('\n\n')}\n`,
  }
}
