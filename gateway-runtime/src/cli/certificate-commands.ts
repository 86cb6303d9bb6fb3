import { readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { type Command, InvalidArgumentError } from 'commander'
import { writeSigningRequest } from './certificate-request.ts'
import { CliError } from './cli-error.ts'
import { findRunningGateway } from './gateway-access.ts'
import { ConnectionRefused, type RunningGateway } from './running-gateway.ts'
import { addGlobalOptions, type Settings, settingsOf } from './settings.ts'
import { table } from './table.ts'

export interface Certificate {
  readonly domain: string
  readonly authority: string | null
  readonly issued_at: string | null
  readonly expires_at: string | null
  readonly next_order_at: string | null
  readonly failures: number
  readonly error: string | null
}

const reasons = [
  'unspecified',
  'keyCompromise',
  'cACompromise',
  'affiliationChanged',
  'superseded',
  'cessationOfOperation',
]
const lookEvery = 500
const longestWait = 300_000
const day = 86_400_000

/** `certificates`: what the gateway orders, renews and keeps itself, and requests for authorities outside. */
export function addCertificateCommands(certificates: Command): void {
  addOrder(certificates, 'issue', false, 'order what is missing now, without waiting for the next attempt')
  addOrder(certificates, 'renew', true, 'order certificates anew, however long those of now last')
  addRevoke(certificates)
  addImport(certificates)
  addRequest(certificates)
  addKeyChange(certificates)
}

/** For the list of certificates, what there is besides those of the configuration; none where no gateway runs. */
export async function listIssued(settings: Settings): Promise<readonly Certificate[]> {
  const gateway = await findRunningGateway(settings)
  return gateway ? listCertificates(gateway) : []
}

/** A table of them: authority, end, and what went wrong. */
export const issuedTable = (all: readonly Certificate[]) =>
  table(
    ['DOMAIN', 'AUTHORITY', 'EXPIRES', 'NEXT ORDER', 'STATE'],
    all.map(({ domain, authority, expires_at, next_order_at, failures, error }) => [
      domain,
      authority === null ? '-' : (URL.parse(authority)?.host ?? authority),
      expires_at === null ? '-' : `${expires_at.slice(0, 10)} (${daysUntil(expires_at)} days)`,
      next_order_at?.slice(0, 16).replace('T', ' ') ?? '-',
      error === null ? (authority === null ? 'being ordered' : 'good') : `failed ${failures} times: ${error}`,
    ]),
  )

const daysUntil = (date: string) => Math.floor((Date.parse(date) - Date.now()) / day)

function addOrder(parent: Command, name: string, anew: boolean, description: string): void {
  const command = parent
    .command(name)
    .description(description)
    .argument('[domains...]', 'these alone; left out: all')
  command.option('--no-wait', 'do not wait until they are there')
  addGlobalOptions(command).action(async (domains: string[]) => {
    const settings = settingsOf(command)
    const gateway = await gatewayOf(settings)
    const before = new Map((await listCertificates(gateway)).map((one) => [one.domain, one]))
    const body = { anew, ...(domains.length > 0 && { domains }) }
    const { ordered } = (await gateway.request('POST', '/acme/orders', body)) as {
      readonly ordered: string[]
    }
    if (!command.opts<{ wait: boolean }>().wait || ordered.length === 0) {
      const text = ordered.length === 0 ? 'Nothing is missing.' : `Ordered: ${ordered.join(', ')}`
      return print(settings, { ordered }, text)
    }
    const done = await follow(gateway, ordered, before, settings)
    print(settings, { certificates: done }, issuedTable(done))
    if (done.some(({ error }) => error !== null)) process.exitCode = 1
  })
}

/** Looks until each has a new certificate or has failed once more, telling of each as it comes. */
async function follow(
  gateway: RunningGateway,
  domains: readonly string[],
  before: ReadonlyMap<string, Certificate>,
  { json }: Settings,
): Promise<readonly Certificate[]> {
  const told = new Set<string>()
  const deadline = Date.now() + longestWait
  for (;;) {
    const now = (await listCertificates(gateway)).filter(({ domain }) => domains.includes(domain))
    const isDone = (one: Certificate) =>
      one.issued_at !== (before.get(one.domain)?.issued_at ?? null) ||
      one.failures > (before.get(one.domain)?.failures ?? 0)
    const done = now.filter(isDone)
    for (const { domain, error } of done) {
      if (!json && !told.has(domain))
        process.stderr.write(`${domain}: ${error ?? 'there'} (${told.size + 1} of ${domains.length})\n`)
      told.add(domain)
    }
    if (done.length === domains.length) return now
    if (Date.now() > deadline)
      throw new CliError(
        `${domains.length - done.length} certificates are not there after ${longestWait / 60_000} minutes; see gateway-cli certificates list`,
      )
    await sleep(lookEvery)
  }
}

function addRevoke(parent: Command): void {
  const reason = (text: string) => {
    if (reasons.includes(text)) return text
    throw new InvalidArgumentError(`expected one of ${reasons.join(', ')}`)
  }
  const command = parent
    .command('revoke')
    .description('have the authority take a certificate back, and order another')
    .argument('<domain>')
    .option('--reason <reason>', reasons.join(', '), reason, 'unspecified')
  addGlobalOptions(command).action(async (domain: string) => {
    const settings = settingsOf(command)
    const code = reasons.indexOf(command.opts<{ reason: string }>().reason)
    await (await gatewayOf(settings)).request('POST', '/acme/revocations', { domain, reason: code })
    print(settings, { revoked: domain }, `Revoked. Another certificate for ${domain} is being ordered.`)
  })
}

function addImport(parent: Command): void {
  const command = parent
    .command('import')
    .description('keep a certificate of an authority outside, for all nodes, and show it for its names')
    .requiredOption('--cert <file>', 'PEM file with the certificate and, behind it, those of its issuers')
    .requiredOption('--key <file>', 'PEM file with its private key')
  addGlobalOptions(command).action(async () => {
    const settings = settingsOf(command)
    const { cert, key } = command.opts<{ cert: string; key: string }>()
    const gateway = await gatewayOf(settings)
    const body = { certificate: read(cert), key: read(key) }
    const answer = (await gateway.request('POST', '/acme/imports', body)) as {
      readonly hosts: readonly string[]
      readonly warnings: readonly string[]
    }
    const warnings = answer.warnings.map((warning) => `\nwarning: ${warning}`).join('')
    print(settings, answer, `Imported for ${answer.hosts.join(', ')}.${warnings}`)
  })
}

function addRequest(parent: Command): void {
  const command = parent
    .command('csr')
    .description('make a private key (RSA 4096) and a request for a certificate, for an authority outside')
    .argument('<names...>', 'DNS names that it is for')
    .option('--folder <folder>', 'where gateway.key and gateway.csr are written', '/etc/ssl')
    .option('--force', 'make a new key where there is one')
  addGlobalOptions(command).action(async (names: string[]) => {
    const { folder, force = false } = command.opts<{ folder: string; force?: boolean }>()
    const made = await writeSigningRequest(folder, names, force)
    const text = `${made.key}  (mode 0600: keep it here)\n${made.request}  (for the authority)\nWhen its certificate is there: gateway-cli certificates import --cert FILE --key ${made.key}`
    print(settingsOf(command), made, text)
  })
}

function addKeyChange(parent: Command): void {
  const command = parent
    .command('change-account-key')
    .description('give the account at an authority a new key')
    .argument('<directory>', 'URL of the directory of the authority, as in acme.authorities')
  addGlobalOptions(command).action(async (directory: string) => {
    const settings = settingsOf(command)
    await (await gatewayOf(settings)).request('POST', '/acme/account-keys', { authority: directory })
    print(settings, { changed: directory }, `The account at ${directory} has a new key.`)
  })
}

async function gatewayOf(settings: Settings): Promise<RunningGateway> {
  const gateway = await findRunningGateway(settings)
  if (gateway) return gateway
  throw new ConnectionRefused(
    'gateway-service is not running: it alone orders and keeps certificates; start it first',
  )
}

async function listCertificates(gateway: RunningGateway): Promise<readonly Certificate[]> {
  return ((await gateway.request('GET', '/acme/certificates')) as { readonly data: readonly Certificate[] })
    .data
}

function read(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    throw new CliError(`${path} cannot be read: ${(error as Error).message}`)
  }
}

function print({ json }: Settings, value: object, text: string): void {
  process.stdout.write(`${json ? JSON.stringify(value, null, 2) : text}\n`)
}
