import { hash } from 'node:crypto'
import { createSecureContext, type SecureContext } from 'node:tls'
import type { ServerCertificate } from '../../worker-messages.ts'

/** The certificates of a listener by the server name that a client asks for (SNI, RFC 6066 section 3). */
export interface CertificateStore {
  /** The one for a name, in any case: by its exact host, else by `*.` and the rest behind the first label. */
  get(serverName: string): SecureContext | undefined
  /**
   * Puts others in the place of all that there are; connections that are open keep what they began with. Where two
   * are for one host, the first is taken. Throws where one is none, and then nothing has changed.
   */
  replace(certificates: readonly ServerCertificate[], settings: ContextSettings): void
}

/**
 * What contexts hold besides a certificate. Everything else about a handshake is said by the server: Node.js takes
 * from the context of a server name the certificate, its key and the authorities of clients, and nothing more.
 */
export interface ContextSettings {
  /** PEM texts of the authorities that clients' certificates are checked against. */
  readonly ca: readonly string[]
}

/** Keeps the contexts ready: one is made only for a certificate, or for settings, that were not there before. */
export class PreparedCertificates implements CertificateStore {
  #contexts = new Map<string, SecureContext>()
  #hosts = new Map<string, SecureContext>()

  get(serverName: string): SecureContext | undefined {
    const host = serverName.toLowerCase()
    const exact = this.#hosts.get(host)
    if (exact) return exact
    const dot = host.indexOf('.')
    return dot > 0 ? this.#hosts.get(`*${host.substring(dot)}`) : undefined
  }

  replace(certificates: readonly ServerCertificate[], settings: ContextSettings): void {
    const contexts = new Map<string, SecureContext>()
    const hosts = new Map<string, SecureContext>()
    for (const { certificate, key, hosts: own } of certificates) {
      const id = hash('sha256', JSON.stringify([certificate, key, settings]))
      const context =
        contexts.get(id) ??
        this.#contexts.get(id) ??
        createSecureContext({ ca: [...settings.ca], cert: certificate, key })
      contexts.set(id, context)
      for (const host of own) if (!hosts.has(host)) hosts.set(host, context)
    }
    this.#contexts = contexts
    this.#hosts = hosts
  }
}
