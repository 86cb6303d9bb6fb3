import '../../gateway-runtime/src/control-plane/reflect-metadata.ts'
import { createPrivateKey, X509Certificate as NodeCertificate, randomBytes, webcrypto } from 'node:crypto'
import { existsSync } from 'node:fs'
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises'
import { hostname } from 'node:os'
import { dirname, join } from 'node:path'
import type { Extension, X509Certificate as Issuer } from '@peculiar/x509'

// Loaded only now: it needs what reflect-metadata.ts sets, and Jest loads CommonJS before any import has run.
const {
  AuthorityKeyIdentifierExtension,
  BasicConstraintsExtension,
  ExtendedKeyUsage,
  ExtendedKeyUsageExtension,
  KeyUsageFlags,
  KeyUsagesExtension,
  PemConverter,
  SubjectAlternativeNameExtension,
  SubjectKeyIdentifierExtension,
  X509Certificate,
  X509CertificateGenerator,
} = await import('@peculiar/x509')

type CryptoKey = webcrypto.CryptoKey

const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const
const day = 86_400_000
const lifetime = { authority: 3_650 * day, server: 90 * day }
const renewBefore = 30 * day

/** Where a certificate and its key are, as PEM files. */
export interface CertificateFiles {
  readonly certificate: string
  readonly key: string
}

/**
 * The development CA of this checkout: made once in `directory` (ca.crt, and ca.key with mode 0600) and kept.
 * It is made anew only when less than 30 days of its ten years are left.
 */
export async function developmentAuthority(directory: string): Promise<CertificateFiles> {
  const files = { certificate: join(directory, 'ca.crt'), key: join(directory, 'ca.key') }
  if (await isCurrent(files)) return files
  const keys = await generateKeys()
  const certificate = await X509CertificateGenerator.createSelfSigned({
    serialNumber: serialNumber(),
    name: [{ O: ['Gatehouse'] }, { CN: [`Gatehouse development CA (${hostname()})`] }],
    ...validity(lifetime.authority),
    signingAlgorithm: algorithm,
    keys,
    extensions: [
      new BasicConstraintsExtension(true, 0, true),
      new KeyUsagesExtension(KeyUsageFlags.keyCertSign | KeyUsageFlags.cRLSign, true),
      await SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  })
  await write(files, certificate.toString('pem'), keys.privateKey)
  return files
}

/**
 * Sees to it that `files` hold a certificate of `authority` for localhost, 127.0.0.1 and ::1 with at least 30 of
 * its 90 days left. Returns whether a new one was made.
 */
export async function ensureServerCertificate(
  files: CertificateFiles,
  authority: CertificateFiles,
): Promise<boolean> {
  if (await isCurrent(files, authority)) return false
  const keys = await generateKeys()
  const issuer = new X509Certificate(await readFile(authority.certificate, 'utf8'))
  const certificate = await X509CertificateGenerator.create({
    serialNumber: serialNumber(),
    subject: [{ CN: ['localhost'] }],
    issuer: issuer.subjectName,
    ...validity(lifetime.server),
    signingAlgorithm: algorithm,
    publicKey: keys.publicKey,
    signingKey: await readKey(authority.key),
    extensions: await serverExtensions(keys.publicKey, issuer),
  })
  await write(files, certificate.toString('pem'), keys.privateKey)
  return true
}

async function serverExtensions(publicKey: CryptoKey, issuer: Issuer): Promise<Extension[]> {
  return [
    new BasicConstraintsExtension(false, undefined, true),
    new KeyUsagesExtension(KeyUsageFlags.digitalSignature, true),
    new ExtendedKeyUsageExtension([ExtendedKeyUsage.serverAuth]),
    new SubjectAlternativeNameExtension([
      { type: 'dns', value: 'localhost' },
      { type: 'ip', value: '127.0.0.1' },
      { type: 'ip', value: '::1' },
    ]),
    await SubjectKeyIdentifierExtension.create(publicKey),
    await AuthorityKeyIdentifierExtension.create(issuer.publicKey),
  ]
}

/** Whether both files are there, belong together, are signed by the authority, and last 30 more days. */
async function isCurrent(files: CertificateFiles, authority?: CertificateFiles): Promise<boolean> {
  if (!existsSync(files.certificate) || !existsSync(files.key)) return false
  try {
    const certificate = new NodeCertificate(await readFile(files.certificate))
    const issuer = authority ? new NodeCertificate(await readFile(authority.certificate)) : certificate
    return (
      certificate.checkPrivateKey(createPrivateKey(await readFile(files.key))) &&
      certificate.verify(issuer.publicKey) &&
      Date.parse(certificate.validTo) - Date.now() > renewBefore
    )
  } catch {
    return false // what cannot be read as a certificate is replaced
  }
}

const generateKeys = () => webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify'])

/** RFC 5280 section 4.1.2.2: positive and at most 20 octets. */
const serialNumber = () => `01${randomBytes(15).toString('hex')}`

/** An hour back, for clients whose clock is behind. */
const validity = (length: number) => ({
  notBefore: new Date(Date.now() - 3_600_000),
  notAfter: new Date(Date.now() + length),
})

async function readKey(path: string): Promise<CryptoKey> {
  const [key] = PemConverter.decode(await readFile(path, 'utf8'))
  return webcrypto.subtle.importKey('pkcs8', key!, algorithm, false, ['sign'])
}

/** Both files are written beside their place and then moved there: a reader never sees half of one. */
async function write(files: CertificateFiles, certificate: string, privateKey: CryptoKey): Promise<void> {
  const key = PemConverter.encode(await webcrypto.subtle.exportKey('pkcs8', privateKey), 'PRIVATE KEY')
  await mkdir(dirname(files.key), { recursive: true, mode: 0o700 })
  await writeFile(`${files.key}.new`, `${key}\n`, { mode: 0o600 })
  await writeFile(`${files.certificate}.new`, `${certificate}\n`)
  await rename(`${files.key}.new`, files.key)
  await rename(`${files.certificate}.new`, files.certificate)
}
