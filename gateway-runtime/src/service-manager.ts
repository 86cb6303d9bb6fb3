import { writeSync } from 'node:fs'

/**
 * Descriptor of a datagram socket that is connected to systemd, opened by the helper notify-socket, which runs the
 * program: Node.js opens no such sockets, but writes to one as to a file.
 */
const descriptor = process.env.NOTIFY_FD ? Number(process.env.NOTIFY_FD) : undefined

/** Where this process was given a way to tell systemd of its state. */
export const notifyDescriptor = descriptor

/** Tells systemd of the state (sd_notify(3)): `READY=1`, `MAINPID=17`. Does nothing where systemd does not run it. */
export function notifyServiceManager(...assignments: readonly string[]): void {
  if (descriptor === undefined) return
  try {
    writeSync(descriptor, assignments.join('\n'))
  } catch {
    // systemd does not read at the moment; what it misses are signs of life, of which the next one comes soon.
  }
}

/** Gives signs of life as long as the event loop turns, twice in the time that systemd waits for one (WATCHDOG_USEC). */
export function feedWatchdog(): void {
  const microseconds = Number(process.env.WATCHDOG_USEC)
  if (!(microseconds > 0)) return
  setInterval(() => notifyServiceManager('WATCHDOG=1'), microseconds / 2_000).unref()
}
