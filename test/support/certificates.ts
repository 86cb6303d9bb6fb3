import '../../gateway-runtime/src/control-plane/reflect-metadata.ts'
import { generateKeyPairSync, randomBytes, webcrypto } from 'node:crypto'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'

// Loaded only now: it needs what reflect-metadata.ts sets.
const {
  BasicConstraintsExtension,
  ExtendedKeyUsage,
  ExtendedKeyUsageExtension,
  Extension,
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

/** What is not as it is with others. */
export interface Unusual {
  /** Kind of the key of the server, as Node.js makes it. */
  readonly key?:
    | readonly ['rsa', { readonly modulusLength: number }]
    | readonly ['ec', { readonly namedCurve: string }]
  /** What it is signed by. */
  readonly hash?: 'SHA-1' | 'SHA-256'
  /** Object identifiers of what it is for. */
  readonly purposes?: readonly string[]
  readonly names?: readonly string[]
  /** Whether the issuer says that it is one. */
  readonly isAuthority?: boolean
  /** Whether it demands OCSP stapling (RFC 7633). */
  readonly mustStaple?: boolean
}

/** A certificate with that of its issuer behind it, and its key: PEM texts. */
export async function unusualChain(
  unusual: Unusual,
): Promise<{ readonly chain: string; readonly key: string }> {
  const { key: kind = ['ec', { namedCurve: 'prime256v1' }], hash = 'SHA-256', isAuthority = true } = unusual
  const { purposes = [ExtendedKeyUsage.serverAuth], names = ['a.example.com'], mustStaple = false } = unusual
  const rsa = {
    name: 'RSASSA-PKCS1-v1_5',
    modulusLength: 2_048,
    publicExponent: new Uint8Array([1, 0, 1]),
    hash,
  }
  const keys = await webcrypto.subtle.generateKey(rsa, true, ['sign', 'verify'])
  const issuer = await X509CertificateGenerator.createSelfSigned({
    serialNumber: serialNumber(),
    name: [{ CN: ['Unusual CA'] }],
    ...validity(hour),
    signingAlgorithm: rsa,
    keys,
    extensions: [new BasicConstraintsExtension(isAuthority, undefined, true)],
  })
  const own =
    kind[0] === 'rsa'
      ? generateKeyPairSync('rsa', kind[1])
      : generateKeyPairSync('ec', { namedCurve: kind[1].namedCurve })
  const certificate = await X509CertificateGenerator.create({
    serialNumber: serialNumber(),
    subject: [{ CN: ['unusual'] }],
    issuer: issuer.subjectName,
    ...validity(hour),
    signingAlgorithm: rsa,
    publicKey: own.publicKey.export({ type: 'spki', format: 'der' }),
    signingKey: keys.privateKey,
    extensions: [
      new ExtendedKeyUsageExtension([...purposes]),
      ...(names.length > 0
        ? [new SubjectAlternativeNameExtension(names.map((value) => ({ type: 'dns', value })))]
        : []),
      ...(mustStaple ? [new Extension('1.3.6.1.5.5.7.1.24', false, Buffer.from('3003020105', 'hex'))] : []),
    ],
  })
  return {
    chain: `${certificate.toString('pem')}\n${issuer.toString('pem')}\n`,
    key: own.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
  }
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
