import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'

/** The service behind the gateways of a lab: says the id of the request that it was asked with, and who asked. */
export interface EchoService {
  readonly url: string
  stop(): Promise<void>
}

/** @param host - address of this machine that hosts of the lab reach */
export async function startEchoService(host: string): Promise<EchoService> {
  const server = createServer(({ headers, socket }, response) => {
    const node = socket.remoteAddress?.replace('::ffff:', '')
    response.setHeader('content-type', 'application/json').end(JSON.stringify({ id: headers['x-id'], node }))
  })
  server.listen(0, host)
  await once(server, 'listening')
  return {
    url: `http://${host}:${(server.address() as AddressInfo).port}`,
    async stop() {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}
