import { X509Certificate } from 'node:crypto'
import { lookup } from 'node:dns/promises'
import { statSync } from 'node:fs'
import { networkInterfaces } from 'node:os'
import { formatProblem } from '../../config/index.ts'
import { authoritiesOf, certificateHosts, isPemText, readPem } from '../../config/tls-files.ts'
import { type Check, type Finding, fail, pass, type Surroundings, unseen, warn } from './check.ts'

const day = 86_400_000
const mostNames = 20

const configuration: Check = {
  id: 'configuration',
  title: 'configuration',
  run({ loaded, problem, status }) {
    const mend = 'mend the files, and check them with gateway-cli config validate'
    if (!loaded) return fail(problem ?? 'it cannot be read', mend)
    if (status?.configuration.error) return fail(`not in force: ${status.configuration.error}`, mend)
    const { routes, services } = loaded.configuration
    const warnings = loaded.warnings.map((warning) =>
      warn(formatProblem(warning), 'change or delete that route'),
    )
    return [pass(`${services.length} services, ${routes.length} routes`), ...warnings]
  },
}

const certificates: Check = {
  id: 'certificates',
  title: 'certificates',
  run({ loaded }) {
    if (!loaded) return unseen('the configuration cannot be read')
    const { listeners, certificates, admin } = loaded.configuration
    const all = [
      ...listeners.map(({ port, ...files }) => ({
        what: `listener ${port}`,
        hosts: [] as readonly string[],
        ...files,
      })),
      ...certificates.map(({ name, hosts = [], ...files }) => ({
        what: `certificate ${name}`,
        ...files,
        hosts,
      })),
      { what: 'admin.tls_port', hosts: admin.hosts, certificate: admin.certificate, key: admin.key },
    ]
    const findings = all.flatMap(({ what, hosts, certificate, key }) =>
      certificate === undefined ? [] : [checkCertificate(what, hosts, certificate), ...checkKey(what, key)],
    )
    return findings.length > 0 ? findings : pass('there are none')
  },
}

function checkCertificate(what: string, hosts: readonly string[], setting: string): Finding {
  let chain: X509Certificate[]
  let names: readonly string[]
  try {
    const pem = readPem('/', setting)
    chain = authoritiesOf(pem).map((text) => new X509Certificate(text))
    names = certificateHosts(pem)
  } catch (error) {
    return unseen(`${what}: ${(error as Error).message}`)
  }
  const [own] = chain as [X509Certificate]
  const days = Math.floor((own.validToDate.getTime() - Date.now()) / day)
  const renew = 'put a new one in its place: it is taken at once'
  if (days < 0) return fail(`${what} has been expired for ${-days} days`, renew)
  if (own.validFromDate.getTime() > Date.now()) return fail(`${what} is not valid yet`, 'check the clock')
  const missing = hosts.filter((host) => own.checkHost(host.replace('*.', 'any.')) === undefined)
  if (missing.length > 0) return fail(`${what} is not for ${missing.join(', ')}`, 'get one for these names')
  const broken = chain.findIndex((certificate, index) => {
    const issuer = chain[index + 1]
    return issuer !== undefined && !certificate.checkIssued(issuer)
  })
  if (broken >= 0)
    return fail(
      `${what}: certificate ${broken + 2} of its chain has not issued the one before`,
      'put them in order, each behind the one that it has issued',
    )
  if (days < 14) return warn(`${what} expires in ${days} days`, renew)
  if (own.checkIssued(own))
    return warn(`${what} is self-signed: clients refuse it`, 'get one of a public authority')
  return pass(`${what}: ${names.join(', ')}, for ${days} days more`)
}

function checkKey(what: string, key: string | undefined): Finding[] {
  if (key === undefined || isPemText(key)) return []
  const mode = statSync(key, { throwIfNoEntry: false })?.mode
  if (mode === undefined || (mode & 0o007) === 0) return []
  return [warn(`${what}: everybody on this host may read its key`, `chmod 600 ${key}`)]
}

const dnsNames: Check = {
  id: 'dns',
  title: 'DNS names',
  async run({ loaded, virtualIp }) {
    if (!loaded) return unseen('the configuration cannot be read')
    const hosts = loaded.configuration.routes.flatMap((route) => route.hosts)
    const names = [...new Set(hosts)]
      .filter((host) => !host.startsWith('*.') && /[a-z]/i.test(host))
      .slice(0, mostNames)
    if (names.length === 0) return pass('no route asks for a host name')
    const own = Object.values(networkInterfaces()).flatMap(
      (list) => list?.map(({ address }) => address) ?? [],
    )
    return Promise.all(names.map((name) => checkName(name, virtualIp, own)))
  },
}

async function checkName(
  name: string,
  virtualIp: string | undefined,
  own: readonly string[],
): Promise<Finding> {
  const found = await lookup(name, { all: true }).catch(() => [])
  const addresses = found.map(({ address }) => address)
  if (addresses.length === 0)
    return fail(`${name} cannot be resolved`, 'add a DNS record that leads to the virtual IP')
  const text = `${name} → ${addresses.join(', ')}`
  if (virtualIp !== undefined) {
    return addresses.includes(virtualIp)
      ? pass(text)
      : fail(`${text}, not ${virtualIp}`, 'correct the DNS record')
  }
  return pass(addresses.some((address) => own.includes(address)) ? `${text} (this host)` : text)
}

const circuits: Check = {
  id: 'circuits',
  title: 'circuits and health',
  run({ status }: Surroundings) {
    if (!status) return unseen('the gateway does not answer')
    const ill = status.targets.filter(({ circuit, health }) => circuit !== 'closed' || health === 'unhealthy')
    const findings = ill.map(({ upstream, target, circuit, health }) =>
      warn(
        `${upstream}: ${target} is left alone (circuit ${circuit}, ${health ?? 'not checked'})`,
        'see error.log for what it answered; it is tried again by itself',
      ),
    )
    if (status.restarts > 0)
      findings.push(warn(`${status.restarts} workers died and were replaced`, 'see error.log for the reason'))
    return findings.length > 0 ? findings : pass(`${status.targets.length} targets, none left alone`)
  },
}

/** What the files say, and what the gateway says of it. */
export const configurationChecks: readonly Check[] = [configuration, certificates, dnsNames, circuits]
