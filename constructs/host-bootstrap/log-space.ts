import { type HostFile, logDirectory } from './description.ts'

/** From here on (percent of the volume) old logs go. */
const full = 80

const path = '/usr/local/sbin/gateway-log-space'
export const logSpaceTimer = 'gateway-log-space.timer'

const program = `#!/usr/bin/env bash
# Keeps the log volume from filling up: from ${full} % on, the oldest logs that were rotated go; where there are none, the
# current ones are rotated. Made by the deployment.
set -euo pipefail
used() { df --output=pcent ${logDirectory} | tr -dc 0-9; }
oldest() { find ${logDirectory} -maxdepth 1 -type f -name '*.log.*' -printf '%T@ %p\\n' | sort -n | head -n 1 | cut -d ' ' -f 2-; }
rotated=
while [ "$(used)" -ge ${full} ]; do
  file=$(oldest)
  if [ -n "$file" ]; then
    echo "the log volume is $(used) % full: deleting $file"
    rm -f -- "$file"
  elif [ -z "$rotated" ]; then
    logrotate --force /etc/logrotate.d/gateway-runtime
    rotated=yes
  else
    echo "the log volume is $(used) % full, with nothing that can be deleted: make it larger" >&2
    exit 1
  fi
done
`

const service = `[Unit]
Description=Keeps the log volume of the API gateway from filling up
RequiresMountsFor=${logDirectory}

[Service]
Type=oneshot
ExecStart=${path}
NoNewPrivileges=yes
ProtectHome=yes
ProtectSystem=strict
ReadWritePaths=${logDirectory} -/var/lib/logrotate
PrivateTmp=yes
`

const timer = `[Unit]
Description=Looks at the log volume of the API gateway every minute

[Timer]
OnActiveSec=1min
OnUnitInactiveSec=1min
AccuracySec=5s

[Install]
WantedBy=timers.target
`

/** What watches the size of the log volume. */
export const logSpaceFiles: readonly HostFile[] = [
  { path, mode: '0755', owner: 'root:root', content: program },
  {
    path: `/etc/systemd/system/${logSpaceTimer.replace('.timer', '.service')}`,
    mode: '0644',
    owner: 'root:root',
    content: service,
  },
  { path: `/etc/systemd/system/${logSpaceTimer}`, mode: '0644', owner: 'root:root', content: timer },
]

/** Bash that starts the watch. */
export const startLogSpaceWatch = `systemctl is-active --quiet ${logSpaceTimer} || will_change
systemctl enable --now --quiet ${logSpaceTimer}`
