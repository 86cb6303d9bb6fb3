import { once } from 'node:events'
import { createServer, type Server, type Socket } from 'node:net'
import type { TLSSocket } from 'node:tls'
import type { Listener, TlsSettings } from '../config/schema.ts'
import type { Snapshot } from '../config/snapshot.ts'
import type { ClientCertificate } from '../plugins/contract.ts'
import type { TlsMaterial } from '../worker-messages.ts'
import type { ClientFacts } from './exchange.ts'
import { describeClientCertificate } from './tls/client-certificate.ts'
import { type GivenTls, TlsEndpoint } from './tls/tls-endpoint.ts'
import { plainAddress } from './trusted-proxies.ts'

const backlog = 4_096 // the kernel takes the smaller of this and net.core.somaxconn

export interface ListenerEvents {
  /** A client, as far as it is known before its first byte; `sniff`: that byte tells which protocol it speaks. */
  onConnection(socket: Socket, facts: ClientFacts, sniff: boolean): void
  /** `client`: its address, where it is still known. */
  onHandshakeFailure(reason: string, client: string | undefined): void
}

interface OpenListener {
  readonly server: Server
  readonly tls: TlsEndpoint | undefined
}

/** What cannot be changed without opening the socket anew. */
function keyOf(
  { host, port, protocol, http2, client_certificates }: Listener,
  settings: TlsSettings,
): string {
  const tls = protocol === 'https' && [settings.handshake_timeout, client_certificates?.mode]
  return JSON.stringify([host, port, http2, tls])
}

/** The listening sockets of one worker. Every worker has its own (SO_REUSEPORT); the kernel spreads connections. */
export class Listeners {
  readonly #events: ListenerEvents
  #open = new Map<string, OpenListener>()

  constructor(events: ListenerEvents) {
    this.#events = events
  }

  /**
   * Brings the sockets to what the configuration says. First the new ones are opened: where one cannot be, they are
   * closed again and nothing has changed. Throws then.
   */
  async apply({ listeners, tls }: Snapshot, material: TlsMaterial, ticketKeys: Uint8Array): Promise<void> {
    const given = { material, ticketKeys, settings: tls }
    const next = new Map<string, OpenListener>()
    const opened: Server[] = []
    try {
      for (const listener of listeners) {
        const key = keyOf(listener, tls)
        let open = this.#open.get(key)
        if (!open) {
          open = this.#create(listener, given)
          opened.push(open.server)
          await listen(open.server, listener)
        }
        next.set(key, open)
      }
    } catch (error) {
      for (const server of opened) server.close()
      throw error
    }
    for (const listener of listeners) this.#open.get(keyOf(listener, tls))?.tls?.apply(listener, given)
    for (const [key, { server }] of this.#open) if (!next.has(key)) server.close()
    this.#open = next
  }

  /** Takes no more connections; those that are open stay. */
  close(): void {
    for (const { server } of this.#open.values()) server.close()
    this.#open.clear()
  }

  /** Session tickets are encrypted with these keys from now on. */
  useTicketKeys(keys: Uint8Array): void {
    for (const { tls } of this.#open.values()) tls?.useTicketKeys(keys)
  }

  #create(listener: Listener, given: GivenTls): OpenListener {
    if (listener.protocol === 'http') {
      const sniff = listener.http2 === true
      // Paused: nothing may be read before the connection has its own way of reading.
      const options = { allowHalfOpen: true, noDelay: true, pauseOnConnect: !sniff }
      const server = createServer(options, (socket) =>
        this.#events.onConnection(socket, clientFacts(socket), sniff),
      )
      return { server, tls: undefined }
    }
    const tls = new TlsEndpoint(listener, given, {
      onSecure: (socket) => {
        const facts = clientFacts(socket, socket, listener.client_certificates !== undefined)
        this.#events.onConnection(socket, facts, false)
      },
      onFailure: (reason, address) =>
        this.#events.onHandshakeFailure(reason, address === undefined ? undefined : plainAddress(address)),
    })
    return { server: tls.server, tls }
  }
}

const clientFacts = (socket: Socket, tls?: TLSSocket, certified = false): ClientFacts => ({
  peerAddress: plainAddress(socket.remoteAddress),
  scheme: tls ? 'https' : 'http',
  localPort: socket.localPort ?? 0,
  tlsVersion: tls?.getProtocol() ?? undefined,
  clientCertificate: certified ? clientCertificate(tls!) : undefined,
  protocol: tls?.alpnProtocol === 'h2' ? 'HTTP/2' : 'HTTP/1.1',
})

/** Only what was verified: a session that is resumed counts as authorized even where it began without a certificate. */
function clientCertificate(socket: TLSSocket): ClientCertificate | undefined {
  const certificate = socket.authorized ? socket.getPeerX509Certificate() : undefined
  return certificate && describeClientCertificate(certificate)
}

async function listen(server: Server, { host, port }: Listener): Promise<void> {
  server.listen({ host, port, backlog, reusePort: true, ipv6Only: false })
  await once(server, 'listening').catch((error: NodeJS.ErrnoException) => {
    const reason = error.code === 'EADDRINUSE' ? 'the port is taken by another program' : error.message
    throw new Error(`cannot listen on ${host}:${port}: ${reason}`, { cause: error })
  })
}
