import { configurationFiles } from './configuration.ts'
import {
  configurationDirectory,
  type HostDescription,
  logDirectory,
  program,
  serviceUnit,
  serviceUser,
  statusPort,
} from './description.ts'
import { quote } from './shell.ts'
import { openFiles } from './sysctl.ts'

/** The service, with no more rights than it needs; the package brings it. V8 compiles at run time, hence no MemoryDenyWriteExecute. */
export const serviceUnitFile = `[Unit]
Description=API gateway
Documentation=man:gateway(8) man:gateway-cli(1)
Wants=network-online.target
After=network-online.target gateway-firewall.service
RequiresMountsFor=${logDirectory}
StartLimitIntervalSec=60
StartLimitBurst=10

[Service]
Type=notify
NotifyAccess=main
WatchdogSec=30
TimeoutStartSec=60
ExecStart=/usr/lib/gateway/notify-socket ${program} --config ${configurationDirectory}
ExecReload=/bin/kill -HUP $MAINPID
Environment=NODE_COMPILE_CACHE=/var/cache/gateway
User=${serviceUser}
Group=${serviceUser}
StateDirectory=gateway
StateDirectoryMode=0700
CacheDirectory=gateway
CacheDirectoryMode=0700
Restart=always
RestartSec=1
# longer than the time that requests in flight are given (limits.drain_timeout, 30 s)
TimeoutStopSec=40
LimitNOFILE=${openFiles}
OOMScoreAdjust=-500
UMask=0027

AmbientCapabilities=CAP_NET_BIND_SERVICE
CapabilityBoundingSet=CAP_NET_BIND_SERVICE
NoNewPrivileges=yes
ProtectSystem=strict
ReadWritePaths=${configurationDirectory} ${logDirectory}
ProtectHome=yes
PrivateTmp=yes
PrivateDevices=yes
ProtectClock=yes
ProtectControlGroups=yes
ProtectHostname=yes
ProtectKernelLogs=yes
ProtectKernelModules=yes
ProtectKernelTunables=yes
ProtectProc=invisible
RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX AF_NETLINK
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
LockPersonality=yes
RemoveIPC=yes
SystemCallArchitectures=native
SystemCallFilter=@system-service
SystemCallFilter=~@privileged @resources
# accepted changes are written with the owner that the file had
SystemCallFilter=@chown
SystemCallErrorNumber=EPERM

[Install]
WantedBy=multi-user.target
`

/**
 * Bash that lets the service run with what it reads, and waits until it is ready: a reload takes over routes and the
 * like, a new process beside the old one what only a start reads. What it refuses is gone back from.
 */
export function startService(host: HostDescription): string {
  const paths = configurationFiles(host).map(({ path }) => quote(path))
  const undo = paths.length > 0 ? 'restore_configuration; ' : ''
  const reload =
    paths.length > 0
      ? `
elif ! runs_with ${serviceUnit} ${paths.join(' ')}; then
  will_change
  gateway-cli reload >&2 || { ${undo}gateway-cli reload >&2 || true; fail 'the gateway did not take over the configuration (see above); the one before is in force again'; }
  say 'the gateway has taken over the configuration'`
      : ''
  return `say 'service'
systemctl daemon-reload
systemctl enable --quiet ${serviceUnit}
if ! systemctl is-active --quiet ${serviceUnit} || [ ! -e "$kept_settings" ]; then
  will_change
  systemctl reset-failed ${serviceUnit} 2>/dev/null || true
  systemctl restart ${serviceUnit} || fail '${serviceUnit} did not start: journalctl -u ${serviceUnit}'
elif needs_new_process; then
  will_change
  /usr/lib/gateway/take-over || { ${undo}fail 'no new process became ready; the one before goes on: journalctl -u ${serviceUnit}'; }
  say 'a new process has taken over'${reload}
fi
ready=
for _ in $(seq 1 300); do
  if (exec 3<>/dev/tcp/127.0.0.1/${statusPort} && printf 'GET /readyz HTTP/1.0\\r\\n\\r\\n' >&3 && head -n 1 <&3 | grep -q ' 200 ') 2>/dev/null; then
    ready=yes
    break
  fi
  sleep 0.2
done
[ -n "$ready" ] || fail 'the gateway is not ready after 60 s: journalctl -u ${serviceUnit}; ${logDirectory}/error.log'
upgraded_from=
keep_settings
${paths.length > 0 ? `now_runs_with ${serviceUnit} ${paths.join(' ')}` : ''}`
}
