/** Bash that remembers which content of files a unit has read: a run that was cut off before is caught up by the next. */
export const runningFunctions = `runs_with() { # UNIT FILE…: whether it runs, and with the files as they are
  systemctl is-active --quiet "$1" && sha256sum -- "\${@:2}" | cmp --silent -- - "$state/$1.sums"
}
now_runs_with() { mkdir -p "$state" && sha256sum -- "\${@:2}" >"$state/$1.sums"; }`
