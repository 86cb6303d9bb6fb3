import { constants, hash } from 'node:crypto'
import type { Socket } from 'node:net'
import { createSecureContext, createServer, type SecureContext, type Server, type TLSSocket } from 'node:tls'
import type { Listener, TlsSettings } from '../../config/schema.ts'
import { authoritiesOf } from '../../config/tls-files.ts'
import type { Challenges, ServerCertificate, TlsMaterial } from '../../worker-messages.ts'
import type { ConnectionEnds } from '../proxy-protocol/connection-ends.ts'
import { type CertificateStore, type ContextSettings, PreparedCertificates } from './certificate-store.ts'

// TLS 1.3, then for 1.2 only what has forward secrecy and authenticates what it encrypts (RFC 9325 section 4.2).
const ciphers = [
  'TLS_AES_128_GCM_SHA256',
  'TLS_AES_256_GCM_SHA384',
  'TLS_CHACHA20_POLY1305_SHA256',
  'ECDHE-ECDSA-AES128-GCM-SHA256',
  'ECDHE-RSA-AES128-GCM-SHA256',
  'ECDHE-ECDSA-AES256-GCM-SHA384',
  'ECDHE-RSA-AES256-GCM-SHA384',
  'ECDHE-ECDSA-CHACHA20-POLY1305',
  'ECDHE-RSA-CHACHA20-POLY1305',
].join(':')

/** Seconds; what a rotation of the ticket keys costs is that sessions which are younger begin anew. */
const sessionTimeout = 300

/** What an authority speaks that asks for a challenge (RFC 8737 section 4). */
const challengeProtocol = 'acme-tls/1'

/** What a TLS listener is given besides its own settings. */
export interface GivenTls {
  readonly settings: TlsSettings
  readonly material: TlsMaterial
  /** 48 bytes. */
  readonly ticketKeys: Uint8Array
}

export interface TlsEvents {
  /** `ends`: what was given to `takeOver` with its connection. */
  onSecure(socket: TLSSocket, ends: ConnectionEnds | undefined): void
  onFailure(reason: string, peerAddress: string | undefined): void
}

function reasonOf(error: NodeJS.ErrnoException, socket: TLSSocket): string {
  // Node.js closes where the certificate of a client is wrong, and says only here why.
  const { authorizationError } = socket as { authorizationError?: unknown }
  return authorizationError ? String(authorizationError) : (error.code ?? error.message)
}

/** What tells a connection from all others that are open: a TLS socket does not say which socket it stands on. */
const connectionOf = ({ remoteAddress, remotePort, localPort }: Socket): string =>
  `${remoteAddress} ${remotePort} ${localPort}`

/** The TLS side of one listener: its server, and the certificates that it chooses from. */
export class TlsEndpoint {
  readonly server: Server
  readonly #certificates: CertificateStore = new PreparedCertificates()
  /** Connections that came with a PROXY header. */
  readonly #takenOver = new Map<string, ConnectionEnds | undefined>()
  #contextSettings: ContextSettings = { ca: [] }
  #challenges: ReadonlyMap<string, SecureContext> = new Map()
  /** Connections of authorities that ask for a challenge. */
  readonly #challenged = new WeakSet<TLSSocket>()
  #refusesUnknown = false

  /** Throws where a certificate or key is none. */
  constructor(listener: Listener, given: GivenTls, events: TlsEvents) {
    const mode = listener.client_certificates?.mode
    const protocols = listener.http2 === false ? ['http/1.1'] : ['h2', 'http/1.1']
    this.server = createServer({
      requestCert: mode !== undefined,
      rejectUnauthorized: mode === 'required',
      noDelay: true,
      handshakeTimeout: given.settings.handshake_timeout,
      ALPNCallback: withSocket((socket, client) => {
        const challenge = client.servername && this.#challenges.get(client.servername.toLowerCase())
        if (challenge && client.protocols.includes(challengeProtocol)) {
          this.#challenged.add(socket)
          socket.setKeyCert(challenge)
          return challengeProtocol
        }
        return protocols.find((protocol) => client.protocols.includes(protocol))
      }),
      SNICallback: withAsker((socket, serverName, choose) => this.#choose(socket, serverName, choose)),
    })
    this.server.on('secureConnection', (socket) => {
      socket.allowHalfOpen = true // not before: who ends within a handshake waits for no answer
      if (socket.alpnProtocol === challengeProtocol) {
        socket.destroy() // the authority has seen what it asked for
        return
      }
      // Node.js lets a wrong one pass where none is required, and takes a resumed session without one for authorized.
      const isWrong =
        mode !== undefined && (socket.getPeerX509Certificate() ? !socket.authorized : mode === 'required')
      if (isWrong) {
        events.onFailure(String(socket.authorizationError), socket.remoteAddress)
        socket.destroy()
      } else events.onSecure(socket, this.#takenOver.get(connectionOf(socket)))
    })
    this.server.on('tlsClientError', (error: NodeJS.ErrnoException, socket) => {
      const reason = reasonOf(error, socket)
      // Whoever connects and goes (a load balancer that looks whether the port is open) failed nothing.
      if (reason !== 'ECONNRESET') events.onFailure(reason, socket.remoteAddress)
      socket.destroy()
    })
    this.apply(listener, given)
  }

  /** Takes up settings and certificates for connections to come. Throws where one is none; nothing has changed then. */
  apply(listener: Listener, { material, ticketKeys }: GivenTls): void {
    const { pem, certificates } = material
    // Never those of the system: a client is somebody only by an authority that the listener names.
    const ca = listener.client_certificates ? authoritiesOf(pem.get(listener.client_certificates.ca)!) : []
    const settings = { ca }
    this.#certificates.replace(certificates, settings)
    this.#contextSettings = settings
    this.server.setSecureContext({
      ...settings,
      ciphers,
      honorCipherOrder: true,
      minVersion: `TLSv${listener.min_tls_version}`,
      secureOptions: constants.SSL_OP_NO_RENEGOTIATION,
      sessionTimeout,
      ticketKeys: Buffer.from(ticketKeys),
      // A session of one listener is not taken by another, nor by authorities that have changed.
      sessionIdContext: hash('sha256', JSON.stringify([listener, ca])).substring(0, 32),
      ...(listener.certificate !== undefined && { cert: pem.get(listener.certificate)! }),
      ...(listener.key !== undefined && { key: pem.get(listener.key)! }),
    })
    this.#refusesUnknown = listener.unknown_sni === 'refuse'
  }

  /** Shows these by server name to connections to come. Throws where one is none; nothing has changed then. */
  useCertificates(certificates: readonly ServerCertificate[]): void {
    this.#certificates.replace(certificates, this.#contextSettings)
  }

  /** Node.js knows one set of keys only: from now on, tickets of the one before lead to a full handshake. */
  useTicketKeys(keys: Uint8Array): void {
    this.server.setTicketKeys(Buffer.from(keys))
  }

  /** Answers TLS-ALPN-01 by these from now on. */
  useChallenges(challenges: Challenges['tls']): void {
    this.#challenges = new Map(
      [...challenges].map(([name, { certificate, key }]) => [
        name,
        createSecureContext({ ca: [], cert: certificate, key }),
      ]),
    )
  }

  /** Shakes hands on a connection of another server, of which the first bytes were read: `socket` holds the rest. */
  takeOver(socket: Socket, ends: ConnectionEnds | undefined): void {
    const connection = connectionOf(socket)
    this.#takenOver.set(connection, ends)
    socket.allowHalfOpen = false
    socket.once('close', () => this.#takenOver.delete(connection))
    this.server.emit('connection', socket)
  }

  #choose(socket: TLSSocket, serverName: string, choose: Choose): void {
    // With TLS 1.3 the protocol is agreed on before the certificate is chosen.
    const challenge = this.#challenged.has(socket)
      ? this.#challenges.get(serverName.toLowerCase())
      : undefined
    const known = challenge ?? this.#certificates.get(serverName)
    if (known) choose(null, known)
    else if (this.#refusesUnknown) choose(new Error('no certificate is for the server name'))
    else choose(null) // the listener's own
  }
}

type Choose = (error: Error | null, context?: SecureContext) => void

interface AskedProtocols {
  /** Node.js says false where the client names none. */
  readonly servername: string | false
  readonly protocols: readonly string[]
}

/** Node.js calls it as a method of the socket, which its types do not say. */
const withSocket = (choose: (socket: TLSSocket, client: AskedProtocols) => string | undefined) =>
  function (this: unknown, client: AskedProtocols): string | undefined {
    return choose(this as TLSSocket, client)
  }

const withAsker = (ask: (socket: TLSSocket, serverName: string, choose: Choose) => void) =>
  function (this: unknown, serverName: string, choose: Choose): void {
    ask(this as TLSSocket, serverName, choose)
  }
