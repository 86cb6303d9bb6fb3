import { once } from 'node:events'
import type { AddressInfo, Server } from 'node:net'

export { freePort, freePorts } from '../../scripts/process/free-port.ts'

/** Listens on a port of 127.0.0.1 that the system chooses, and says which. */
export async function listenOnFreePort(server: Server): Promise<number> {
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return (server.address() as AddressInfo).port
}
