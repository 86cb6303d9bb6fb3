import '../../gateway-runtime/src/control-plane/reflect-metadata.ts'
import { randomBytes, webcrypto } from 'node:crypto'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'

// Loaded only now: it needs what reflect-metadata.ts sets.
const {
  BasicConstraintsExtension,
  ExtendedKeyUsage,
  ExtendedKeyUsageExtension,
  KeyUsageFlags,
  KeyUsagesExtension,
  PemConverter,
  SubjectAlternativeNameExtension,
  X509CertificateGenerator,
} = await import('@peculiar/x509')

const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const
const hour = 3_600_000

export interface Names {
  readonly commonName?: string
  readonly dns?: readonly string[]
  readonly ip?: readonly string[]
  readonly uri?: readonly string[]
  /** Milliseconds from now to the end of the certificate; an hour. */
  readonly lifetime?: number
}

/** PEM texts. */
export interface Issued {
  readonly certificate: string
  readonly key: string
}

/** A certificate authority of a test. */
export interface Authority {
  /** Its certificate, as PEM text. */
  readonly certificate: string
  /** Makes a certificate for servers and clients. */
  issue(names: Names): Promise<Issued>
}

/** Makes a certificate authority that lives in memory. */
export async function newAuthority(commonName = 'Test CA'): Promise<Authority> {
  const keys = await webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify'])
  const authority = await X509CertificateGenerator.createSelfSigned({
    serialNumber: serialNumber(),
    name: [{ CN: [commonName] }],
    ...validity(hour),
    signingAlgorithm: algorithm,
    keys,
    extensions: [
      new BasicConstraintsExtension(true, 0, true),
      new KeyUsagesExtension(KeyUsageFlags.keyCertSign, true),
    ],
  })
  const issue = async ({ commonName, dns = [], ip = [], uri = [], lifetime = hour }: Names) => {
    const own = await webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify'])
    const names = [
      ...dns.map((value) => ({ type: 'dns', value }) as const),
      ...ip.map((value) => ({ type: 'ip', value }) as const),
      ...uri.map((value) => ({ type: 'url', value }) as const),
    ]
    const certificate = await X509CertificateGenerator.create({
      serialNumber: serialNumber(),
      subject: [{ CN: [commonName ?? dns[0] ?? 'test'] }],
      issuer: authority.subjectName,
      ...validity(lifetime),
      signingAlgorithm: algorithm,
      publicKey: own.publicKey,
      signingKey: keys.privateKey,
      extensions: [
        new BasicConstraintsExtension(false, undefined, true),
        new ExtendedKeyUsageExtension([ExtendedKeyUsage.serverAuth, ExtendedKeyUsage.clientAuth]),
        ...(names.length > 0 ? [new SubjectAlternativeNameExtension(names)] : []),
      ],
    })
    const key = await webcrypto.subtle.exportKey('pkcs8', own.privateKey)
    return {
      certificate: `${certificate.toString('pem')}\n`,
      key: `${PemConverter.encode(key, 'PRIVATE KEY')}\n`,
    }
  }
  return { certificate: `${authority.toString('pem')}\n`, issue }
}

/** Writes NAME.crt and NAME.key into a folder, and says where they are. */
export async function writeIssued(folder: string, name: string, issued: Issued): Promise<Issued> {
  const files = { certificate: join(folder, `${name}.crt`), key: join(folder, `${name}.key`) }
  await writeFile(files.key, issued.key, { mode: 0o600 })
  await writeFile(files.certificate, issued.certificate)
  return files
}

const serialNumber = () => `01${randomBytes(8).toString('hex')}`

const validity = (lifetime: number) => ({
  notBefore: new Date(Date.now() - 2 * hour),
  notAfter: new Date(Date.now() + lifetime),
})
