import type { HostDescription } from './description.ts'

/** Bash that remembers which content of files a unit has read: a run that was cut off before is caught up by the next. */
const functions = `sums() { sha256sum -- "$@"; }
runs_with() { # UNIT FILE…: whether it runs, and with the files as they are
  systemctl is-active --quiet "$1" && sums "\${@:2}" | cmp --silent -- - "/var/lib/gateway-bootstrap/$1.sums"
}
now_runs_with() { mkdir -p /var/lib/gateway-bootstrap && sums "\${@:2}" >"/var/lib/gateway-bootstrap/$1.sums"; }`

/** The functions `runs_with` and `now_runs_with`, for the roles that need them. */
export const runningFunctions = ({ edge, redis }: HostDescription) => ((edge ?? redis) ? [functions] : [])
