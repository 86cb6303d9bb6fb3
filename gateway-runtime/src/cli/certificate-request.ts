import { existsSync, mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { domainToASCII } from 'node:url'
import { CliError } from './cli-error.ts'

const name = /^(\*\.)?([A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)+[A-Za-z][A-Za-z0-9-]*$/

/**
 * Writes gateway.key (RSA 4096, mode 0600) and gateway.csr (PKCS #10) with these DNS names, each whole or not at all;
 * international ones in their ASCII form (RFC 5891).
 * @returns their paths
 * @throws CliError where a name is none, there is a key and `force` is not given, or the folder cannot be written
 */
export async function writeSigningRequest(
  folder: string,
  given: readonly string[],
  force: boolean,
): Promise<{ readonly key: string; readonly request: string }> {
  const names = given.map(domainToASCII)
  const wrong = given.find((_, index) => !name.test(names[index]!))
  if (wrong !== undefined) throw new CliError(`${wrong} is no DNS name`)
  const key = join(folder, 'gateway.key')
  const request = join(folder, 'gateway.csr')
  if (existsSync(key) && !force)
    throw new CliError(`${key} is there; a certificate may depend on it. To make a new one: --force`)
  const { newPrivateKey, newSigningRequest } = await import(
    '../control-plane/certificates/signing-request.ts'
  )
  const pem = await newPrivateKey('rsa-4096')
  const der = await newSigningRequest(names, pem)
  const lines = der
    .toString('base64')
    .match(/.{1,64}/g)!
    .join('\n')
  try {
    mkdirSync(folder, { recursive: true })
    writeWhole(key, pem, 0o600)
    writeWhole(
      request,
      `-----BEGIN CERTIFICATE REQUEST-----\n${lines}\n-----END CERTIFICATE REQUEST-----\n`,
      0o644,
    )
  } catch (error) {
    throw new CliError(
      `the files cannot be written: ${(error as Error).message}; run this with sudo, or set --folder`,
    )
  }
  return { key, request }
}

function writeWhole(path: string, text: string, mode: number): void {
  const fresh = `${path}.new`
  rmSync(fresh, { force: true })
  writeFileSync(fresh, text, { mode, flag: 'wx' })
  renameSync(fresh, path)
}
