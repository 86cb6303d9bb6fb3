import { isIP } from 'node:net'
import { type ConnectionOptions, createSecureContext, type SecureContext } from 'node:tls'
import type { CompiledService } from '../../config/snapshot.ts'
import { authoritiesOf } from '../../config/tls-files.ts'

/** How a service's targets are spoken to over TLS. Certificates and the key are PEM texts. */
export interface UpstreamTls {
  readonly verify: boolean
  /** Name for SNI and certificate; undefined: the target's own host. */
  readonly serverName: string | undefined
  /** In place of the authorities that Node.js knows. */
  readonly ca: string | undefined
  readonly clientCertificate: string | undefined
  readonly clientKey: string | undefined
}

/** `pem`: the texts by what the configuration says. Undefined for a service in clear. */
export function upstreamTlsOf(
  service: CompiledService,
  pem: ReadonlyMap<string, string>,
): UpstreamTls | undefined {
  const { tls, hostHeader } = service
  if (!tls) return undefined
  const text = (setting: string | undefined) => {
    const known = setting === undefined ? undefined : pem.get(setting)
    // Never without a certificate or authority that is asked for.
    if (setting !== undefined && known === undefined)
      throw new Error(`service ${service.name}: a PEM file was not read`)
    return known
  }
  return {
    verify: tls.verify,
    serverName: tls.serverName ?? hostHeader?.replace(/:\d+$/, '').replace(/^\[(.*)\]$/, '$1'),
    ca: text(tls.ca),
    clientCertificate: text(tls.clientCertificate),
    clientKey: text(tls.clientKey),
  }
}

/** The options of `tls.connect` for a host; what is costly in them is made at the first call, once. */
export function tlsOptions(host: string, http2: boolean, settings: UpstreamTls): () => ConnectionOptions {
  const { verify, serverName = host, ca, clientCertificate, clientKey } = settings
  let secureContext: SecureContext | undefined
  const options: ConnectionOptions = {
    rejectUnauthorized: verify,
    ALPNProtocols: [http2 ? 'h2' : 'http/1.1'],
    // RFC 6066 section 3: an address is not a server name; the certificate is checked against it all the same.
    ...(isIP(serverName) ? {} : { servername: serverName }),
  }
  return () => {
    secureContext ??= createSecureContext({
      ...(ca !== undefined && { ca: authoritiesOf(ca) }),
      ...(clientCertificate !== undefined && { cert: clientCertificate }),
      ...(clientKey !== undefined && { key: clientKey }),
    })
    return { ...options, secureContext }
  }
}
