import { type HostDescription, type HostFile, logDirectory } from './description.ts'
import { logSpaceFiles, startLogSpaceWatch } from './log-space.ts'
import { quote } from './shell.ts'

const label = 'gateway-logs'
export const logMountUnit = 'var-log-gateway.mount'

const unit = `[Unit]
Description=Log volume of the API gateway

[Mount]
What=/dev/disk/by-label/${label}
Where=${logDirectory}
Type=xfs
Options=noatime,nodev,nosuid,noexec

[Install]
WantedBy=local-fs.target
`

/** The unit that mounts the log volume, and what watches its size; nothing without one. */
export const logVolumeFiles = (host: HostDescription): HostFile[] =>
  host.logDevice === undefined
    ? []
    : [
        { path: `/etc/systemd/system/${logMountUnit}`, mode: '0644', owner: 'root:root', content: unit },
        ...logSpaceFiles,
      ]

/**
 * Bash that stops, before anything is changed, where there is neither a log volume nor a blank device to make one of.
 * Blank means: a whole disk without partitions, signatures, users or mounts, whose first 16 MiB are zero.
 */
export const auditLogVolume = (host: HostDescription): string[] =>
  host.logDevice === undefined
    ? []
    : [
        `why_not_blank() { # DEVICE → the reason on standard output, nothing when the device is blank
  local device=$1
  [ -b "$device" ] || { echo 'is no block device'; return; }
  [ "$(lsblk --noheadings --output NAME -- "$device" | wc -l)" -eq 1 ] || { echo 'has partitions or holders'; return; }
  [ -z "$(lsblk --noheadings --output MOUNTPOINTS -- "$device" | tr -d '[:space:]')" ] || { echo 'is mounted'; return; }
  [ -z "$(wipefs --no-act --noheadings -- "$device")" ] || { echo 'holds a file system or partition table'; return; }
  cmp --silent --bytes=16777216 -- "$device" /dev/zero || echo 'holds data'
}
log_device() {
  local wanted=${quote(host.logDevice)} device reason seen=''
  if [ "$wanted" != auto ]; then
    reason=$(why_not_blank "$wanted")
    [ -z "$reason" ] || fail "log volume: $wanted $reason, and nothing that holds data is formatted. Give another device, or empty this one by hand if its data may go: wipefs --all, then blkdiscard --zeroout"
    echo "$wanted"
    return
  fi
  for device in /dev/nvme*n[0-9]; do
    [ -b "$device" ] || continue
    reason=$(why_not_blank "$device")
    [ -n "$reason" ] || { echo "$device"; return; }
    seen+=" $device $reason;"
  done
  fail "log volume: no blank NVMe disk on this host (\${seen:-there is none}). Name a device in place of auto, or leave the log volume out"
}
log_disk=
if [ -z "$(blkid --label ${label} || true)" ]; then log_disk=$(log_device); fi`,
      ]

/**
 * Bash that finds the log volume by its label, or makes it on the blank device that the audit has found.
 */
export const applyLogVolume = (host: HostDescription) =>
  host.logDevice === undefined
    ? `install -d -m 0750 -o gateway -g adm ${logDirectory}`
    : `say 'log volume'
if [ -z "$(blkid --label ${label} || true)" ]; then
  say "log volume: making a file system on $log_disk"
  will_change
  mkfs.xfs -q -L ${label} -- "$log_disk"
  udevadm trigger --settle -- "$log_disk" # what it is called now is found by its label
fi
mkdir -p ${logDirectory}
systemctl daemon-reload
mountpoint --quiet ${logDirectory} || will_change
systemctl enable --now --quiet ${logMountUnit} || fail 'the log volume did not mount: journalctl -u ${logMountUnit}'
chown gateway:adm ${logDirectory}
chmod 0750 ${logDirectory}
${startLogSpaceWatch}`
