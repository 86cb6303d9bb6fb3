import { execFile } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { distribution } from '../../build/bundle.ts'
import type { CertificateFiles } from '../development-certificates.ts'
import type { LocalFolder } from '../local-folder.ts'
import type { Session } from '../session.ts'
import type { FailingServices } from './failing-services.ts'

/** What the checks are made on: a running gateway, and the services behind it. */
export interface Subject {
  readonly folder: LocalFolder
  readonly session: Session
  readonly failing: FailingServices
  /** Addresses without a slash at their end. */
  readonly http: string
  readonly https: string
  readonly admin: string
  readonly status: string
  /** The certificate that https is verified with. */
  readonly ca: Buffer
}

export async function subjectOf(
  session: Session,
  failing: FailingServices,
  authority: CertificateFiles,
): Promise<Subject> {
  const { folder } = session
  const { listeners, adminPort, statusPort } = folder.layout
  const portOf = (wanted: string) => listeners.find(({ protocol }) => protocol === wanted)?.port
  return {
    folder,
    session,
    failing,
    http: `http://127.0.0.1:${portOf('http')}`,
    https: `https://localhost:${portOf('https')}`,
    admin: `http://127.0.0.1:${adminPort}`,
    status: `http://127.0.0.1:${statusPort}`,
    ca: await readFile(authority.certificate),
  }
}

export interface CliRun {
  readonly code: number
  readonly output: string
}

/** Runs the built gateway-cli on the gateway's configuration folder. */
export const runCli = ({ folder }: Subject, ...args: string[]) =>
  new Promise<CliRun>((resolve) => {
    const program = join(distribution, 'gateway-cli')
    execFile(program, ['--config', folder.directory, ...args], { timeout: 10_000 }, (error, out, err) => {
      resolve({ code: error ? Number(error.code ?? 1) : 0, output: out + err })
    })
  })

/** Asks until the answer is true, for what the gateway does in its own time; false after 5 seconds. */
export async function becomesTrue(ask: () => Promise<boolean>): Promise<boolean> {
  const deadline = performance.now() + 5_000
  while (performance.now() < deadline) {
    if (await ask()) return true
    await sleep(25)
  }
  return false
}
