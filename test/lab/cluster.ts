import { once } from 'node:events'
import { get } from 'node:http'
import { Agent, request } from 'node:https'
import type { LabDeployment } from '../../scripts/lab/deploy.ts'
import { defaultConfiguration, ports } from '../../scripts/lab/environment.ts'
import { type CommandResult, runOnHost } from '../../scripts/lab/host.ts'
import type { HostRecord } from '../../scripts/lab/record.ts'
import type { Pebble } from '../support/pebble.ts'

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
  'services.yaml': defaultConfiguration['services.yaml'],
})

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
  }).finally(() => {}) as Promise<Answer>
}

/** Asks again and again, from some clients at once, until it is stopped; tells all that was not a 200 with the page. */
export function load(address: string, ca: string, clients = 4) {
  const failures: string[] = []
  let answered = 0
  let going = true
  const running = Array.from({ length: clients }, async () => {
    while (going) {
      const outcome = await ask(address, ca).catch((error: Error) => error.message)
      if (typeof outcome === 'string') failures.push(outcome)
      else if (outcome.status !== 200 || outcome.body !== 'hello') failures.push(`status ${outcome.status}`)
      else answered++
    }
  })
  return {
    async stop() {
      going = false
      await Promise.all(running)
      return { failures, answered }
    },
  }
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
