import {
  configurationDirectory,
  type HostDescription,
  type HostFile,
  logDirectory,
  program,
  serviceUnit,
  serviceUser,
} from './description.ts'
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

/** The configuration that the service serves: its own, as it writes accepted changes back. */
export const serviceFiles = (host: HostDescription): HostFile[] =>
  Object.entries(host.configuration ?? {})
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, content]) => ({
      path: `${configurationDirectory}/${name}`,
      mode: '0640',
      owner: `${serviceUser}:${serviceUser}`,
      content: content.endsWith('\n') ? content : `${content}\n`,
    }))

/** Bash that starts the service, or restarts it when something it reads has changed, and waits until it runs. */
export const startService = () => `say 'service'
systemctl daemon-reload
systemctl enable --quiet ${serviceUnit}
if [ -e "$pending" ] || ! systemctl is-active --quiet ${serviceUnit}; then
  will_change
  systemctl reset-failed ${serviceUnit} 2>/dev/null || true
  systemctl restart ${serviceUnit} || fail '${serviceUnit} did not start: journalctl -u ${serviceUnit}'
fi
ready=
for _ in $(seq 1 60); do
  if (exec 3<>/dev/tcp/127.0.0.1/9090 && printf 'GET /readyz HTTP/1.0\\r\\n\\r\\n' >&3 && head -n 1 <&3 | grep -q ' 200 ') 2>/dev/null; then
    rm -f -- "$pending"
    ready=yes
    break
  fi
  sleep 1
done
[ -n "$ready" ] || fail 'the gateway is not ready after 60 s: journalctl -u ${serviceUnit}; ${logDirectory}/error.log'`
