import { doOnHost } from '../host.ts'
import type { HostRecord } from '../record.ts'
import type { Fault } from './fault.ts'

const folder = '/run/systemd/system/gateway-service.service.d'
const restart = 'systemctl daemon-reload && systemctl restart gateway-service'

/**
 * Starts the gateway of a host anew with more settings of its unit, which may use variables of bash; undone, it is as it
 * was, and started anew.
 */
export async function withServiceSettings(host: HostRecord, settings: readonly string[]): Promise<Fault> {
  const lines = settings.map((setting) => `echo "${setting}"`).join('; ')
  await doOnHost(
    host,
    `mkdir -p ${folder} && { echo '[Service]'; ${lines}; } >${folder}/drill.conf && ${restart}`,
  )
  return { undo: async () => void (await doOnHost(host, `rm -r ${folder}; ${restart}`)) }
}
