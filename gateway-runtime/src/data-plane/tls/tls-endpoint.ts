import { createServer, type SecureContext, type Server } from 'node:tls'
import type { Listener } from '../../config/schema.ts'
import type { TlsMaterial } from '../../worker-messages.ts'
import { type CertificateStore, PreparedCertificates } from './certificate-store.ts'

const handshakeTimeout = 10_000

/** The TLS side of one listener: its server, and the certificates that it chooses from. */
export class TlsEndpoint {
  readonly server: Server
  readonly #certificates: CertificateStore = new PreparedCertificates()
  #refusesUnknown = false

  /** Throws where a certificate or key is none. */
  constructor(listener: Listener, material: TlsMaterial) {
    this.server = createServer({
      allowHalfOpen: true,
      noDelay: true,
      handshakeTimeout,
      ALPNProtocols: listener.http2 === false ? ['http/1.1'] : ['h2', 'http/1.1'],
      SNICallback: (serverName, choose) => this.#choose(serverName, choose),
    })
    this.apply(listener, material)
  }

  /** Takes up settings and certificates for connections to come. Throws where one is none; nothing has changed then. */
  apply(listener: Listener, { pem, certificates }: TlsMaterial): void {
    // Clients are asked for no certificate: the authorities of the system need not be loaded.
    const settings = { ca: [] }
    this.#certificates.replace(certificates, settings)
    this.server.setSecureContext({
      ...settings,
      minVersion: `TLSv${listener.min_tls_version}`,
      ...(listener.certificate !== undefined && { cert: pem.get(listener.certificate)! }),
      ...(listener.key !== undefined && { key: pem.get(listener.key)! }),
    })
    this.#refusesUnknown = listener.unknown_sni === 'refuse'
  }

  #choose(serverName: string, choose: (error: Error | null, context?: SecureContext) => void): void {
    const known = this.#certificates.get(serverName)
    if (known) choose(null, known)
    else if (this.#refusesUnknown) choose(new Error('no certificate is for the server name'))
    else choose(null) // the listener's own
  }
}
