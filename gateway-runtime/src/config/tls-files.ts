import { createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto'
import { resolve } from 'node:path'
import { readTextFile, UnreadableFile } from './text-file.ts'

/** What is wrong with the TLS files of a listener, and under which key. */
export interface TlsFileProblem {
  readonly key: 'certificate' | 'key'
  readonly message: string
}

/** Checks that certificate and key can be read, are what they should be and belong together. */
export function tlsFileProblems(
  folder: string,
  files: { certificate: string; key: string },
): TlsFileProblem[] {
  const problems: TlsFileProblem[] = []
  const read = <Content>(key: 'certificate' | 'key', what: string, parse: (pem: string) => Content) => {
    try {
      return parse(readTextFile(resolve(folder, files[key])))
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
