import { createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto'
import { resolve } from 'node:path'
import { readTextFile, UnreadableFile } from './text-file.ts'

/** A certificate chain and its key: each a path, or PEM text. */
export interface TlsFiles {
  readonly certificate: string
  readonly key: string
}

/** What is wrong with a certificate and its key, and under which key of the configuration. */
export interface TlsFileProblem {
  readonly key: 'certificate' | 'key'
  readonly message: string
}

/** Whether a setting is PEM text itself, in place of the path of a file with it. */
export const isPemText = (value: string): boolean => value.includes('-----BEGIN ')

/** A setting with its path made absolute; PEM text as it is. */
export const pemPath = (folder: string, value: string): string =>
  isPemText(value) ? value : resolve(folder, value)

/**
 * The PEM text that a setting is or names.
 * @throws UnreadableFile
 */
export const readPem = (folder: string, value: string): string =>
  isPemText(value) ? value : readTextFile(resolve(folder, value))

/** Checks that certificate and key can be read, are what they should be and belong together. */
export function tlsFileProblems(folder: string, files: TlsFiles): TlsFileProblem[] {
  const problems: TlsFileProblem[] = []
  const read = <Content>(key: 'certificate' | 'key', what: string, parse: (pem: string) => Content) => {
    try {
      return parse(readPem(folder, files[key]))
    } catch (error) {
      const message =
        error instanceof UnreadableFile
          ? `the ${what} cannot be read: ${error.message}`
          : `not a ${what} in PEM`
      problems.push({ key, message })
      return undefined
    }
  }
  const certificate = read('certificate', 'certificate', (pem) => new X509Certificate(pem))
  const key = read<KeyObject>('key', 'private key', createPrivateKey)
  if (certificate && key && !certificate.checkPrivateKey(key)) {
    problems.push({ key: 'key', message: 'this private key does not belong to the certificate' })
  }
  return problems
}

/** What is wrong with a PEM file of certificate authorities; undefined: nothing. */
export function authoritiesProblem(folder: string, ca: string): string | undefined {
  try {
    authoritiesOf(readPem(folder, ca))
    return undefined
  } catch (error) {
    return error instanceof UnreadableFile
      ? `the certificates cannot be read: ${error.message}`
      : 'not certificates in PEM'
  }
}

/** The single certificates of a PEM text: at least one. */
export function authoritiesOf(pem: string): string[] {
  const blocks = pem.match(/-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g) ?? []
  if (blocks.length === 0) throw new Error('there is no certificate in it')
  for (const block of blocks) new X509Certificate(block)
  return blocks
}

/** The DNS names of the first certificate of a PEM text, in lower case. Its common name counts for nothing (RFC 9525). */
export function certificateHosts(pem: string): string[] {
  const names = new X509Certificate(pem).subjectAltName ?? ''
  // Node.js puts a name in quotes where a comma in it could feign another one: such a name is no host.
  const entries = names.matchAll(/([^:,]+):("(?:[^"\\]|\\.)*"|[^,]*)(?:, |$)/g)
  return [...entries].flatMap(([, type, name]) =>
    type === 'DNS' && /^(\*\.)?[\w.-]+$/.test(name!) ? [name!.toLowerCase()] : [],
  )
}
