import '../reflect-metadata.ts'
import { randomBytes, webcrypto, X509Certificate } from 'node:crypto'
import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { hostname, networkInterfaces } from 'node:os'
import { join } from 'node:path'
import type { TlsOptions } from 'node:tls'
import type { AdminSettings } from '../../config/index.ts'
import { authoritiesOf, readPem } from '../../config/tls-files.ts'

const day = 86_400_000
const lifetime = 365 * day
const renewBefore = 30 * day

/**
 * What the port with TLS shows and asks of clients: the certificate of the settings, else a self-signed one that is
 * kept in the state folder (admin.crt, and admin.key with mode 0600) and made anew 30 days before its year is over.
 * A client without a certificate gets in, and has to bring a token.
 * @throws Error where a file cannot be read
 */
export async function adminTlsOptions(
  settings: Pick<AdminSettings, 'certificate' | 'key' | 'client_ca' | 'hosts'>,
  stateDirectory: string,
): Promise<TlsOptions> {
  const { certificate, key, client_ca } = settings
  const pair =
    certificate !== undefined && key !== undefined
      ? { cert: readPem('/', certificate), key: readPem('/', key) }
      : await ownPair(stateDirectory, settings.hosts)
  return {
    ...pair,
    minVersion: 'TLSv1.3',
    requestCert: client_ca !== undefined,
    rejectUnauthorized: false,
    ca: client_ca === undefined ? [] : authoritiesOf(readPem('/', client_ca)),
  }
}

interface Pair {
  readonly cert: string
  readonly key: string
}

async function ownPair(stateDirectory: string, hosts: readonly string[]): Promise<Pair> {
  const files = { cert: join(stateDirectory, 'admin.crt'), key: join(stateDirectory, 'admin.key') }
  const known = readPair(files)
  if (known && isCurrent(known, hosts)) return known
  const made = await selfSigned([...new Set(['localhost', hostname(), ...hosts])])
  write(files.key, made.key, 0o600)
  write(files.cert, made.cert, 0o644)
  return made
}

function readPair(files: Pair): Pair | undefined {
  if (!existsSync(files.cert) || !existsSync(files.key)) return undefined
  return { cert: readFileSync(files.cert, 'utf8'), key: readFileSync(files.key, 'utf8') }
}

function isCurrent({ cert }: Pair, hosts: readonly string[]): boolean {
  try {
    const certificate = new X509Certificate(cert)
    const isFresh = certificate.validToDate.getTime() - Date.now() > renewBefore
    return isFresh && hosts.every((host) => certificate.checkHost(host) !== undefined)
  } catch {
    return false
  }
}

function write(path: string, text: string, mode: number): void {
  const temporary = `${path}.${randomBytes(6).toString('hex')}.tmp`
  writeFileSync(temporary, text, { mode, flag: 'wx' })
  renameSync(temporary, path)
}

/** For these DNS names and the addresses that the host has now. */
async function selfSigned(names: readonly string[]): Promise<Pair> {
  const {
    BasicConstraintsExtension,
    ExtendedKeyUsage,
    ExtendedKeyUsageExtension,
    PemConverter,
    SubjectAlternativeNameExtension,
    X509CertificateGenerator,
  } = await import('../x509.ts')
  const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const
  const keys = await webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify'])
  const addresses = Object.values(networkInterfaces())
    .flatMap((addresses) => addresses ?? [])
    .map(({ address }) => address.replace(/%.*/, ''))
  const certificate = await X509CertificateGenerator.createSelfSigned({
    serialNumber: `01${randomBytes(8).toString('hex')}`,
    name: [{ O: ['Gatehouse'] }, { CN: [`Gatehouse admin API (${hostname()})`.slice(0, 64)] }],
    notBefore: new Date(Date.now() - 60_000),
    notAfter: new Date(Date.now() + lifetime),
    signingAlgorithm: algorithm,
    keys,
    extensions: [
      new BasicConstraintsExtension(false, undefined, true),
      new ExtendedKeyUsageExtension([ExtendedKeyUsage.serverAuth]),
      new SubjectAlternativeNameExtension([
        ...names.map((value) => ({ type: 'dns', value }) as const),
        ...[...new Set(['127.0.0.1', '::1', ...addresses])].map((value) => ({ type: 'ip', value }) as const),
      ]),
    ],
  })
  const key = await webcrypto.subtle.exportKey('pkcs8', keys.privateKey)
  return {
    cert: `${certificate.toString('pem')}\n`,
    key: `${PemConverter.encode(key, 'PRIVATE KEY')}\n`,
  }
}
