import { doOnHost } from '../host.ts'
import type { HostRecord } from '../record.ts'
import type { Fault } from './fault.ts'
import { withServiceSettings } from './service-settings.ts'

/** A clock of its own for the gateway of a host. */
export interface Clock extends Fault {
  /** Sets it so many seconds before (below zero) or behind that of the machine; the gateway sees it within a second. */
  set(seconds: number): Promise<void>
}

const folder = '/run/gatehouse-drill'
const library = '$(dpkg -L libfaketime | grep /libfaketimeMT.so.1)'

/**
 * Starts the gateway of a host anew with a clock of its own, which is right at first: hosts of a lab share that of the
 * machine. Only the time of day is its own; what counts from the start of the machine goes on, as when a clock is set.
 */
export async function giveClock(host: HostRecord): Promise<Clock> {
  const set = async (seconds: number) => {
    const text = seconds < 0 ? String(seconds) : `+${seconds}`
    await doOnHost(host, `echo ${text} >${folder}/clock.new && mv ${folder}/clock.new ${folder}/clock`)
  }
  await doOnHost(host, `apt-get -qq install --yes libfaketime >/dev/null && mkdir -p ${folder}`)
  await set(0)
  const { undo } = await withServiceSettings(
    host,
    [
      `LD_PRELOAD=${library}`,
      `FAKETIME_TIMESTAMP_FILE=${folder}/clock`,
      'FAKETIME_CACHE_DURATION=1',
      'FAKETIME_DONT_FAKE_MONOTONIC=1',
    ].map((variable) => `Environment=${variable}`),
  )
  return { set, undo }
}
