import { audit } from './audit.ts'
import { awsFiles, prepareAws } from './aws-agent.ts'
import { ensureCertificate } from './certificate.ts'
import { configurationFiles, putConfiguration } from './configuration.ts'
import { type HostDescription, type HostFile, isGateway, problemsOf } from './description.ts'
import { updateDns } from './dns.ts'
import { edgeFiles, startEdge } from './edge.ts'
import { applyFirewall, firewallFiles, keepFirewall } from './iptables.ts'
import { changeRoles, leaveFiles } from './leave.ts'
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
   * argument is the folder that holds the secrets of the host (`secretNames`), a file each, where it has some. With
   * `--prepare` it looks whether the host can have its roles and installs what is missing, but changes nothing that
   * runs: what is long, or may fail, is then behind it.
   */
  readonly script: string
}

const preamble = `#!/usr/bin/env bash
# Gives this host its roles in the gateway. It can be run again at any time: what is in place already is left alone.
set -euo pipefail
umask 022
export LC_ALL=C DEBIAN_FRONTEND=noninteractive
backups=/var/backups/gateway
state=/var/lib/gateway-bootstrap # what was made here, for who takes it off again
changed= # whether this run has changed anything
mode=run # "prepare" installs what is missing, and changes nothing that runs
if [ "\${1:-}" = --prepare ]; then mode=prepare && shift; fi
say() { printf 'gateway-bootstrap: %s\\n' "$*" >&2; }
fail() { say "stopped: $*"; exit 1; }
will_change() { changed=yes; }
remember_file() { # PATH, before it is written for the first time
  ! grep -qxF -e "made $1" -e "replaced $1" "$state/files" 2>/dev/null || return 0
  install -d -m 0700 "$state" "$state/originals"
  if [ -e "$1" ]; then
    cp --archive -- "$1" "$state/originals/\${1//\\//_}"
    echo "replaced $1" >>"$state/files"
  else
    echo "made $1" >>"$state/files"
  fi
}
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
  remember_file "$path"
  mv -f -- "$new" "$path"
  say "wrote $path"
}`

/** All that can fail without a change to what runs has been done: enough for the first of two runs. */
const endPreparation = `if [ "$mode" = prepare ]; then
  say 'this host is prepared'
  exit 0
fi`

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
    ...leaveFiles(),
    ...(gateway ? [...logVolumeFiles(host), ...awsFiles(host)] : []),
  ]
  const [ofRedis, ofEdge] = [redisFiles(host), edgeFiles(host)]
  const configuration = gateway ? configurationFiles(host) : []
  const steps = [
    preamble,
    runningFunctions,
    audit(host),
    ...(gateway ? auditLogVolume(host) : []),
    ...before.map(putFile),
    installPackages(host),
    ...(gateway ? [ensureCertificate()] : []),
    endPreparation,
    ...readSecrets(host),
    ...after.map(putFile),
    changeRoles(host),
    applySysctl(),
    ...(gateway ? [applyLogVolume(host)] : []),
    applyFirewall(),
    ...ofRedis.map(putFile),
    ...startRedis(host),
    ...(gateway
      ? [...prepareAws(host), ...putSecrets(host), ...putConfiguration(host), startService(host)]
      : []),
    ...ofEdge.map(putFile),
    ...startEdge(host),
    ...updateDns(host),
    keepFirewall(),
    done,
  ]
  return {
    files: [...before, ...after, ...ofRedis, ...configuration, ...ofEdge],
    script: `${steps.join('\n\n')}\n`,
  }
}
