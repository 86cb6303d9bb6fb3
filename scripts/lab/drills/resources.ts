import { doOnHost } from '../host.ts'
import type { HostRecord } from '../record.ts'
import type { Fault } from './fault.ts'
import { withServiceSettings } from './service-settings.ts'

const logs = '/var/log/gateway'
const pid = '$(systemctl show -p MainPID --value gateway-service)'

/** Kills the gateway of a host, all its workers with it: the service manager starts it again. */
export const killGateway = async (host: HostRecord) => void (await doOnHost(host, `kill -9 ${pid}`))

/** Gives the logs of the gateway a disk of their own, which is full. The gateway is started anew on it, and off it. */
export async function fillLogDisk(host: HostRecord): Promise<Fault> {
  await doOnHost(
    host,
    `set -e
mount -t tmpfs -o size=256k,mode=750,uid=$(id -u gateway),gid=$(id -g gateway) tmpfs ${logs}
systemctl restart gateway-service
dd if=/dev/zero of=${logs}/filler bs=4k 2>/dev/null || true
[ "$(stat -f -c %a ${logs})" = 0 ]`,
  )
  return {
    undo: async () => void (await doOnHost(host, `umount --lazy ${logs}; systemctl restart gateway-service`)),
  }
}

/** Starts the gateway of a host anew with some more file descriptors than it has open now, and as it was when undone. */
export const exhaustFiles = (host: HostRecord, more = 8): Promise<Fault> =>
  withServiceSettings(host, [`LimitNOFILE=$(($(ls /proc/${pid}/fd | sort -n | tail -n 1) + ${more}))`])

/** Stops all threads of the gateway of a host, which still has its sockets: it hangs. */
export async function hangGateway(host: HostRecord): Promise<Fault> {
  await doOnHost(host, `kill -STOP ${pid}`)
  return { undo: async () => void (await doOnHost(host, `kill -CONT ${pid}`)) }
}
