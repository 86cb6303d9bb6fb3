import { once } from 'node:events'
import { createServer, type Server, type Socket } from 'node:net'
import type { TLSSocket } from 'node:tls'
import type { Listener, TlsSettings } from '../config/schema.ts'
import type { Snapshot } from '../config/snapshot.ts'
import type { ClientCertificate } from '../plugins/contract.ts'
import type { Challenges, ServerCertificate, TlsMaterial } from '../worker-messages.ts'
import type { ClientFacts } from './exchange.ts'
import type { ConnectionEnds } from './proxy-protocol/connection-ends.ts'
import { describeClientCertificate } from './tls/client-certificate.ts'
import { type GivenTls, TlsEndpoint } from './tls/tls-endpoint.ts'
import { plainAddress } from './trusted-proxies.ts'

const socketOptions = { allowHalfOpen: true, noDelay: true }
const backlog = 4_096 // the kernel takes the smaller of this and net.core.somaxconn

/**
 * How the bytes of a client are come by: `direct`, past the stream of a socket that nobody has read of; by the
 * `stream`; or by it too, but the first of them tell which protocol it speaks (`sniff`).
 */
export type Reading = 'direct' | 'stream' | 'sniff'

export interface ListenerEvents {
  /** A client, as far as it is known before its first byte. */
  onConnection(socket: Socket, facts: ClientFacts, reading: Reading): void
  /** A connection that begins with a PROXY header: `proceed` takes it on when that is read, its socket paused. */
  onProxied(socket: Socket, proceed: (ends: ConnectionEnds | undefined) => void): void
  /** A client begins to shake hands; it is a connection, or a failure, once that is over. */
  onHandshake(socket: Socket): void
  /** `client`: its address, where it is still known. */
  onHandshakeFailure(reason: string, client: string | undefined): void
}

interface OpenListener {
  readonly server: Server
  readonly tls: TlsEndpoint | undefined
}

/** What cannot be changed without opening the socket anew. */
function keyOf(
  { host, port, protocol, http2, proxy_protocol, client_certificates }: Listener,
  settings: TlsSettings,
): string {
  const tls = protocol === 'https' && [settings.handshake_timeout, client_certificates?.mode]
  return JSON.stringify([host, port, http2, proxy_protocol, tls])
}

/** The listening sockets of one worker. Every worker has its own (SO_REUSEPORT); the kernel spreads connections. */
export class Listeners {
  readonly #events: ListenerEvents
  #open = new Map<string, OpenListener>()
  #challenges: Challenges['tls'] = new Map()

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

  /** These certificates are shown from now on by server name. */
  useCertificates(certificates: readonly ServerCertificate[]): void {
    for (const { tls } of this.#open.values()) tls?.useCertificates(certificates)
  }

  /** TLS-ALPN-01 is answered so from now on. */
  useChallenges(challenges: Challenges['tls']): void {
    this.#challenges = challenges
    for (const { tls } of this.#open.values()) tls?.useChallenges(challenges)
  }

  #create(listener: Listener, given: GivenTls): OpenListener {
    const tls = listener.protocol === 'https' ? this.#createTls(listener, given) : undefined
    if (listener.proxy_protocol) return { tls, server: this.#createProxied(listener, tls) }
    return { tls, server: tls?.server ?? this.#createPlain(listener) }
  }

  #createPlain(listener: Listener): Server {
    const reading = listener.http2 === true ? 'sniff' : 'direct'
    // Paused: nothing may be read before the connection has its own way of reading.
    return createServer({ ...socketOptions, pauseOnConnect: reading === 'direct' }, (socket) =>
      this.#events.onConnection(socket, clientFacts(socket), reading),
    )
  }

  /** What stands behind the header is given to the TLS server, which does not listen itself, or to HTTP. */
  #createProxied(listener: Listener, tls: TlsEndpoint | undefined): Server {
    const reading = listener.http2 === true ? 'sniff' : 'stream'
    return createServer(socketOptions, (socket) =>
      this.#events.onProxied(socket, (ends) => {
        if (tls) return tls.takeOver(socket, ends)
        this.#events.onConnection(socket, { ...clientFacts(socket), ...factsOf(ends) }, reading)
        socket.resume()
      }),
    )
  }

  #createTls(listener: Listener, given: GivenTls): TlsEndpoint {
    const events = this.#events
    const endpoint = new TlsEndpoint(listener, given, {
      onSecure(socket, ends) {
        const facts = {
          ...clientFacts(socket),
          ...factsOf(ends),
          ...tlsFacts(socket, listener.client_certificates !== undefined),
        }
        events.onConnection(socket, facts, 'stream')
      },
      onFailure: (reason, address) => events.onHandshakeFailure(reason, address && plainAddress(address)),
    })
    endpoint.useChallenges(this.#challenges)
    endpoint.server.on('connection', (socket: Socket) => events.onHandshake(socket))
    return endpoint
  }
}

const clientFacts = (socket: Socket): ClientFacts => ({
  peerAddress: plainAddress(socket.remoteAddress),
  peerPort: socket.remotePort ?? 0,
  scheme: 'http',
  localAddress: plainAddress(socket.localAddress),
  localPort: socket.localPort ?? 0,
  tlsVersion: undefined,
  clientCertificate: undefined,
  protocol: 'HTTP/1.1',
})

const tlsFacts = (socket: TLSSocket, certified: boolean) =>
  ({
    scheme: 'https',
    tlsVersion: socket.getProtocol() ?? undefined,
    clientCertificate: certified ? clientCertificate(socket) : undefined,
    protocol: socket.alpnProtocol === 'h2' ? 'HTTP/2' : 'HTTP/1.1',
  }) as const

/** What a PROXY header says takes the place of what the connection says itself. */
const factsOf = (ends: ConnectionEnds | undefined) =>
  ends && {
    peerAddress: ends.sourceAddress,
    peerPort: ends.sourcePort,
    localAddress: ends.destinationAddress,
    localPort: ends.destinationPort,
  }

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
