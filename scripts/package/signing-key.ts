import { execFile } from 'node:child_process'
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { homedir, tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { missingPrograms } from '../process/system-programs.ts'

/** Signs the repository. Ed25519: the same text at the same time gives the same signature. */
export interface SigningKey {
  /** As apt takes it from Signed-By. */
  readonly publicKey: Buffer
  /** Detached and ASCII-armoured. `time`: seconds since 1970. */
  sign(text: string, time: number): Promise<Buffer>
  /** The text with its signature (RFC 9580, 7). */
  clearSign(text: string, time: number): Promise<Buffer>
}

/** Where the key is kept that is made where none is given. */
export const defaultKeyFile = join(
  process.env.XDG_DATA_HOME || join(homedir(), '.local/share'),
  'gatehouse/archive-signing-key.asc',
)

// What a repository's key says of itself and when it was made must not depend on the host.
const keyParameters = `%no-protection
Key-Type: eddsa
Key-Curve: ed25519
Key-Usage: sign
Name-Real: Gatehouse archive
Expire-Date: 0
%commit
`

/**
 * Uses a key in a GnuPG home of its own, which is gone afterwards: nothing of the user's is read or changed.
 * @param path - the secret key, ASCII-armoured, without passphrase; made (mode 0600) where there is none
 */
export async function withSigningKey<T>(path: string, use: (key: SigningKey) => Promise<T>): Promise<T> {
  const missing = await missingPrograms(['gpg', 'gpg-agent'])
  if (missing.length > 0) throw new Error(`signing needs ${missing.join(' and ')}: install the package gnupg`)
  const home = await mkdtemp(join(tmpdir(), 'gatehouse-gpg-'))
  const gpg = (args: readonly string[], input = '') => runGpg(home, args, input)
  try {
    const stored = await readFile(path).catch(() => undefined)
    if (stored) await gpg(['--import'], stored.toString())
    else await makeKey(gpg, path)
    const at = (time: number) => ['--faked-system-time', `${Math.max(time, oldest)}!`]
    const oldest = await createdAt(gpg)
    return await use({
      publicKey: await gpg(['--export', '--export-options', 'export-minimal']),
      sign: (text, time) => gpg([...at(time), '--armor', '--digest-algo', 'SHA512', '--detach-sign'], text),
      clearSign: (text, time) => gpg([...at(time), '--digest-algo', 'SHA512', '--clear-sign'], text),
    })
  } finally {
    await runProgram('gpgconf', ['--homedir', home, '--kill', 'all']).catch(() => {})
    await rm(home, { recursive: true, force: true })
  }
}

type Gpg = (args: readonly string[], input?: string) => Promise<Buffer>

async function makeKey(gpg: Gpg, path: string): Promise<void> {
  await gpg(['--generate-key'], keyParameters)
  await mkdir(dirname(path), { recursive: true, mode: 0o700 })
  await writeFile(path, await gpg(['--armor', '--export-secret-keys']), { mode: 0o600, flag: 'wx' })
}

/** A signature cannot be older than its key. */
async function createdAt(gpg: Gpg): Promise<number> {
  const listing = (await gpg(['--list-keys', '--with-colons'])).toString()
  return Number(/^pub:(?:[^:]*:){4}(\d+)/m.exec(listing)?.[1] ?? 0)
}

const runGpg = (home: string, args: readonly string[], input: string) =>
  runProgram('gpg', ['--homedir', home, '--batch', '--quiet', '--no-tty', ...args], input)

function runProgram(file: string, args: readonly string[], input = ''): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const child = execFile(file, args, { encoding: 'buffer', timeout: 60_000 }, (error, stdout, stderr) => {
      if (error) reject(new Error(`${file}: ${stderr.toString().trim() || error.message}`))
      else resolve(stdout)
    })
    child.stdin?.on('error', () => {}) // it ended before it had read all: its exit code tells
    child.stdin?.end(input)
  })
}
