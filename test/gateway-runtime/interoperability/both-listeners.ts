import { newAuthority, writeIssued } from '../../support/certificates.ts'
import { startGateway, type TestGateway } from '../../support/gateway.ts'
import { freePorts } from '../../support/ports.ts'

/** A gateway with a listener for plain text and one for TLS, both with HTTP/1.1 and HTTP/2. */
export interface GatewayWithBothListeners {
  readonly gateway: TestGateway
  /** `http://127.0.0.1:PORT`. */
  readonly plain: string
  /** `https://localhost:PORT`. */
  readonly secure: string
  readonly securePort: number
  /** PEM file with the authority that the certificate comes from. */
  readonly authorityFile: string
}

/**
 * Starts a gateway that sends everything to one service.
 * @param folder - an empty one, for certificates
 * @param url - of the service
 * @param config - more of config.yaml
 * @param listener - more settings of the TLS listener
 */
export async function startWithBothListeners(
  folder: string,
  url: string,
  config: object = {},
  listener: object = {},
): Promise<GatewayWithBothListeners> {
  const authority = await newAuthority()
  const authorityFile = (await writeIssued(folder, 'authority', { ...authority, key: '' })).certificate
  const issued = await authority.issue({ dns: ['localhost'], ip: ['127.0.0.1'] })
  const own = await writeIssued(folder, 'localhost', issued)
  const [plain, secure] = (await freePorts(2)) as [number, number]
  const gateway = await startGateway({
    config: {
      listeners: [
        { host: '127.0.0.1', port: plain, protocol: 'http', http2: true },
        { host: '127.0.0.1', port: secure, protocol: 'https', ...own, ...listener },
      ],
      services: [{ name: 'service', url }],
      routes: [{ name: 'all', service: 'service', paths: ['/'] }],
      ...config,
    },
  })
  return {
    gateway,
    plain: `http://127.0.0.1:${plain}`,
    secure: `https://localhost:${secure}`,
    securePort: secure,
    authorityFile,
  }
}

/** The value of a metric that has no labels. */
export async function metricOf(gateway: TestGateway, name: string): Promise<number> {
  const text = await (await fetch(`${gateway.statusUrl}/metrics`)).text()
  const value = new RegExp(`^${name} (\\S+)$`, 'm').exec(text)?.[1]
  if (value === undefined) throw new Error(`there is no metric ${name}`)
  return Number(value)
}

/** How many requests were answered with each status, by /metrics. */
export async function statusesOf(gateway: TestGateway): Promise<Record<string, number>> {
  const text = await (await fetch(`${gateway.statusUrl}/metrics`)).text()
  const samples = text.matchAll(/^gatehouse_requests_total\{code="(\d+)"\} (\d+)$/gm)
  return Object.fromEntries([...samples].map(([, code, count]) => [code, Number(count)]))
}
