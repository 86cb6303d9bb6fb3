import { once } from 'node:events'
import { readFile, writeFile } from 'node:fs/promises'
import { get } from 'node:http'
import { Agent, request } from 'node:https'
import { join } from 'node:path'
import { connect } from 'node:tls'
import { expect } from '@jest/globals'
import { type LabDeployment, startDeployment } from '../../scripts/lab/deploy.ts'
import { defaultConfiguration, type LabSettings, ports, virtualIpsOf } from '../../scripts/lab/environment.ts'
import { type CommandResult, runOnHost } from '../../scripts/lab/host.ts'
import { neighbourOf } from '../../scripts/lab/lab.ts'
import type { HostRecord } from '../../scripts/lab/record.ts'
import { findProgram } from '../../scripts/process/system-programs.ts'
import { eventually } from '../support/eventually.ts'
import { type Pebble, startPebble } from '../support/pebble.ts'
import { whyNoHosts } from './host.ts'

/** A name that the authority of the tests gives a certificate for. */
export const domain = 'api.example.com'
export const authorityFile = '/etc/ssl/pebble-ca.crt'

/** The configuration that labs have by default, with certificates from an ACME authority. */
export const acmeConfiguration = ({ directory }: Pick<Pebble, 'directory'>) => ({
  ...defaultConfiguration,
  'config.yaml': `${defaultConfiguration['config.yaml']}acme:
  authorities: [{ directory: '${directory}', ca: ${authorityFile} }]
  terms_of_service_agreed: true
  domains: [${domain}]
  preflight: false
`,
})

/** A lab with an ACME authority; nothing is deployed yet. */
export interface TestLab {
  readonly deployment: LabDeployment
  readonly pebble: Pebble
  /** Certificate that those of the gateways come from. */
  readonly root: string
  stop(): Promise<void>
}

/** Why nothing can be deployed to hosts here; undefined where it can. */
export async function whyNoDeployment(): Promise<string | undefined> {
  for (const program of ['terraform', 'pebble', 'pebble-challtestsrv']) {
    if (!(await findProgram(program))) return `${program} is not installed`
  }
  return whyNoHosts()
}

/** Boots hosts that end with this process, with the authority of the tests known to them. */
export async function startTestLab(
  hosts: number,
  settings: Partial<LabSettings> & Pick<LabSettings, 'roles'>,
): Promise<TestLab> {
  let pebble: Pebble | undefined
  const deployment = await startDeployment({
    name: `test-${process.pid}`,
    isOwned: true,
    hosts,
    settings: async (lab) => {
      const [address] = virtualIpsOf(lab, { virtualIps: 1 })
      pebble = await startPebble({ host: neighbourOf(lab), address: address!, httpPort: ports.http[0] })
      const ca = await readFile(pebble.ca)
      for (const { root } of lab.hosts) await writeFile(join(root, authorityFile), ca)
      return { configuration: acmeConfiguration(pebble), ...settings }
    },
  })
  return {
    deployment,
    pebble: pebble!,
    root: await pebble!.root(),
    async stop() {
      await deployment.close()
      await pebble?.stop()
    },
  }
}

/** Applies changes, which must succeed; what Terraform wrote. */
export async function applied(
  deployment: LabDeployment,
  changes: Partial<LabSettings> = {},
): Promise<string> {
  const { code, output } = await deployment.apply(changes)
  expect([code, code === 0 ? '' : output]).toEqual([0, ''])
  return output
}

export interface Answer {
  readonly status: number
  readonly body: string
}

/** Asks for a path over HTTPS, on a connection of its own, and checks the certificate; rejects after 5 s. */
export function ask(address: string, ca: string, path = '/hello'): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const agent = new Agent({ maxCachedSessions: 0 })
    const headers = { host: domain }
    const options = { host: address, port: ports.https[0], servername: domain, path, ca, agent, headers }
    const asked = request({ ...options, timeout: 5_000 }, (answer) => {
      let body = ''
      answer.setEncoding('utf8').on('data', (text: string) => {
        body += text
      })
      answer.on('end', () => resolve({ status: answer.statusCode ?? 0, body }))
      answer.on('error', reject)
    })
    asked.on('timeout', () => asked.destroy(new Error('no answer within 5 s')))
    asked.on('error', reject)
    asked.end()
  })
}

/**
 * Asks again and again, from some clients at once, while work is done; tells how many got the page, and all that was
 * something else.
 */
export async function underLoad(
  { deployment, root }: TestLab,
  work: () => Promise<unknown>,
  clients = 4,
): Promise<{ readonly failures: readonly string[]; readonly answered: number }> {
  const failures: string[] = []
  let answered = 0
  let going = true
  const began = performance.now()
  const running = Array.from({ length: clients }, async () => {
    while (going) {
      const outcome = await ask(deployment.virtualIps[0]!, root).catch((error: Error) => error.message)
      if (typeof outcome !== 'string' && outcome.status === 200 && outcome.body === 'hello') answered++
      else {
        const what = typeof outcome === 'string' ? outcome : `status ${outcome.status}`
        failures.push(`${what} after ${((performance.now() - began) / 1_000).toFixed(1)} s`)
      }
    }
  })
  try {
    await work()
  } finally {
    going = false
    await Promise.all(running)
  }
  return { failures, answered }
}

/** Resolves with the first right answer over HTTPS by a certificate of the authority. */
export const firstAnswer = ({ deployment, root }: TestLab, limit = 60_000): Promise<Answer> =>
  eventually(
    'an answer by a certificate of the authority',
    async () => {
      const answer = await ask(deployment.virtualIps[0]!, root).catch(() => undefined)
      return answer?.status === 200 && answer
    },
    limit,
  )

/** Resolves when all gateways that answer at the virtual IP show a certificate of the authority. */
export async function awaitCertificates({ deployment, root }: TestLab): Promise<void> {
  const [vip] = deployment.virtualIps
  const asksInRow = deployment.settings.roles.length * 4
  await eventually(
    'certificates of the authority on all gateways',
    async () => {
      for (let count = 0; count < asksInRow; count++) {
        const answer = await ask(vip!, root).catch(() => undefined)
        if (answer?.status !== 200) return false
      }
      return true
    },
    60_000,
  )
}

/** Serial numbers of the certificates that gateways show, by so many connections that each is asked several times. */
export async function shownCertificates({ deployment, root }: TestLab): Promise<ReadonlySet<string>> {
  const [host] = deployment.virtualIps
  const serials = new Set<string>()
  for (let count = 0; count < deployment.settings.roles.length * 4; count++) {
    const socket = connect({ host: host!, port: ports.https[0], servername: domain, ca: root })
    await once(socket, 'secureConnect')
    serials.add(socket.getPeerCertificate().serialNumber)
    socket.destroy()
  }
  return serials
}

/** Status of a plain request to a port of a host; undefined where nobody answers. */
export async function statusOf(address: string, port: number, path: string): Promise<number | undefined> {
  const asked = get({ host: address, port, path, agent: false, timeout: 2_000 })
  try {
    const [answer] = await once(asked, 'response')
    answer.resume()
    return answer.statusCode
  } catch {
    return undefined
  }
}

export const hostOf = ({ lab }: LabDeployment, name: string): HostRecord =>
  lab.hosts.find((host) => host.name === name)!

/** Runs a script on hosts of a lab, on all unless they are named; what each wrote, by its name. */
export async function onHosts(
  { lab }: LabDeployment,
  script: string,
  names = lab.hosts.map(({ name }) => name),
): Promise<Record<string, string>> {
  const entries = lab.hosts
    .filter(({ name }) => names.includes(name))
    .map(async (host): Promise<[string, string]> => {
      const { code, output }: CommandResult = await runOnHost(host, script)
      return [host.name, code === 0 ? output.trim() : `exit code ${code}: ${output.trim()}`]
    })
  return Object.fromEntries(await Promise.all(entries))
}
