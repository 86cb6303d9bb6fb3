import { createSecureContext } from 'node:tls'
import { servicesOf } from '../config/packed-snapshot.ts'
import type { Snapshot } from '../config/snapshot.ts'
import { authoritiesOf, certificateHosts, readPem } from '../config/tls-files.ts'
import type { TlsMaterial } from '../worker-messages.ts'
import { OperationalError } from './operational-error.ts'

/**
 * Reads all certificates and keys that a snapshot names. Throws an error that names the listener or certificate where
 * one cannot be read or does not fit its key, so that no worker ever sees it.
 */
export function readTlsMaterial(snapshot: Snapshot): TlsMaterial {
  const reader = new Reader()
  for (const { protocol, port, certificate, key, client_certificates } of snapshot.listeners) {
    if (protocol !== 'https') continue
    const owner = `listener on port ${port}`
    if (certificate && key) reader.readPair(owner, certificate, key)
    if (client_certificates) reader.readAuthorities(owner, client_certificates.ca)
  }
  for (const { name, tls } of new Set(snapshot.routes.flatMap(servicesOf))) {
    const { ca, clientCertificate, clientKey } = tls ?? {}
    const owner = `service ${JSON.stringify(name)}`
    if (ca !== undefined) reader.readAuthorities(owner, ca)
    if (clientCertificate !== undefined) reader.readPair(owner, clientCertificate, clientKey!)
  }
  const certificates = snapshot.certificates.map(({ name, hosts, certificate, key }) => {
    const pair = reader.readPair(`certificate ${JSON.stringify(name)}`, certificate, key)
    const own = hosts?.map((host) => host.toLowerCase()) ?? certificateHosts(pair.certificate)
    return { name, hosts: own, ...pair }
  })
  return { pem: reader.texts, certificates }
}

class Reader {
  readonly texts = new Map<string, string>()

  readPair(owner: string, certificate: string, key: string): { certificate: string; key: string } {
    return explain(owner, () => {
      const pair = { certificate: this.#read(certificate), key: this.#read(key) }
      createSecureContext({ ca: [], cert: pair.certificate, key: pair.key })
      return pair
    })
  }

  readAuthorities(owner: string, ca: string): void {
    explain(owner, () => authoritiesOf(this.#read(ca)))
  }

  #read(setting: string): string {
    const known = this.texts.get(setting)
    if (known !== undefined) return known
    const text = readPem('/', setting) // paths are absolute by now
    this.texts.set(setting, text)
    return text
  }
}

function explain<Result>(owner: string, read: () => Result): Result {
  try {
    return read()
  } catch (error) {
    throw new OperationalError(`${owner}: ${(error as Error).message}`, { cause: error })
  }
}
