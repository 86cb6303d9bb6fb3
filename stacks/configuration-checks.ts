import { join } from 'node:path'
import {
  type Configuration,
  ConfigurationError,
  type Problem,
  YamlSource,
} from '@gatehouse/gateway-runtime/config'
import type { AwsEnvironment } from './aws-environment.ts'
import type { Environment } from './environment.ts'
import { hostsMisfits } from './hosts-checks.ts'

/*
 * What must fit between an environment and the configuration of its gateway. Each problem is shown with the
 * line of the value that it is about, in either file.
 */

export type Path = readonly (string | number)[]

/** A problem, and where it stands: in environment.yaml, or in whichever file of the configuration has it. */
export interface Misfit {
  readonly path: Path
  readonly message: string
  readonly of: 'environment' | 'configuration'
}

/**
 * Checks the configuration of a gateway against the environment that it is deployed to.
 * @param folder of the environment
 * @param files its YAML files by name, but environment.yaml
 * @throws ConfigurationError with file, line and column of each problem
 */
export function checkConfiguration(
  folder: string,
  { environment, configuration }: { environment: Environment; configuration: Configuration },
  { environmentText, files }: { environmentText: string; files: ReadonlyMap<string, string> },
) {
  const own = YamlSource.read('environment.yaml', environmentText)
  const misfits = misfitsOf(environment, configuration, { own, files })
  if (misfits.length === 0) return
  const sources = [...files].map(([file, text]) => YamlSource.read(file, text))
  const problems = misfits.map(({ path, message, of }): Problem => {
    const place = of === 'environment' ? own.place(path) : placeOf(sources, path)
    return { ...place, file: join(folder, place.file), message }
  })
  throw new ConfigurationError(problems)
}

function misfitsOf(
  environment: Environment,
  configuration: Configuration,
  { own, files }: { own: YamlSource; files: ReadonlyMap<string, string> },
): Misfit[] {
  switch (environment.target) {
    case 'aws':
      return [
        ...drainMisfits(environment, configuration, own),
        ...addressMisfits(environment, configuration),
        ...statusMisfits(configuration),
        ...hostMisfits(environment, files),
      ]
    case 'hosts':
      return hostsMisfits(environment, configuration)
    case 'local':
      return []
  }
}

/** In the file that has the first key of a path; the first file where none has. */
function placeOf(sources: readonly YamlSource[], path: Path) {
  const [first = ''] = path
  const source = sources.find(({ value }) => first in (value as object)) ?? sources[0]!
  return source.place(path)
}

/** Shown where the delay is written, else where the time to drain is. */
function drainMisfits(
  { load_balancer: balancer }: AwsEnvironment,
  { limits }: Configuration,
  own: YamlSource,
): Misfit[] {
  const drain = limits.drain_timeout / 1_000
  const delay = balancer.deregistration_delay
  if (drain <= delay) return []
  const why = 'the load balancer would cut off requests that the node still answers'
  const { load_balancer: written } = own.value as { load_balancer?: { deregistration_delay?: unknown } }
  return written?.deregistration_delay !== undefined
    ? [
        {
          of: 'environment',
          path: ['load_balancer', 'deregistration_delay'],
          message: `expected at least ${drain} seconds (limits.drain_timeout of the configuration): ${why}`,
        },
      ]
    : [
        {
          of: 'configuration',
          path: ['limits', 'drain_timeout'],
          message: `expected at most ${delay} seconds (load_balancer.deregistration_delay in environment.yaml): ${why}`,
        },
      ]
}

function addressMisfits({ load_balancer: balancer }: AwsEnvironment, { listeners }: Configuration): Misfit[] {
  const isExpected = balancer.client_address === 'proxy-protocol'
  return listeners.flatMap((listener, index): Misfit[] => {
    if (listener.proxy_protocol === isExpected) return []
    const message = isExpected
      ? `expected proxy_protocol: true, since load_balancer.client_address is proxy-protocol: each connection begins with a PROXY header`
      : `expected load_balancer.client_address: proxy-protocol in environment.yaml, or proxy_protocol: false here: no connection begins with a PROXY header`
    return [{ of: 'configuration', path: ['listeners', index], message }]
  })
}

/** The status port must be reached from outside of the node. */
export const statusMisfits = ({ status }: Configuration): Misfit[] =>
  /^(127\.|::1$|localhost$)/.test(status.host)
    ? [
        {
          of: 'configuration',
          path: ['status', 'host'],
          message:
            'expected an address that the load balancer reaches, such as 0.0.0.0: it asks for /readyz there',
        },
      ]
    : []

/** Hosts of routes within the zone must be led here by DNS, and have a certificate. */
function hostMisfits({ dns }: AwsEnvironment, files: ReadonlyMap<string, string>): Misfit[] {
  const isCovered = (host: string) =>
    dns.domains.includes(host) || dns.domains.includes(host.replace(/^[^.]+/, '*'))
  const isInZone = (host: string) => host === dns.zone || host.endsWith(`.${dns.zone}`)
  return [...files].flatMap(([file, text]) => {
    const { routes } = YamlSource.read(file, text).value as { routes?: { hosts?: unknown[] }[] }
    return (routes ?? []).flatMap((route, index) =>
      (route.hosts ?? []).flatMap((host, hostIndex): Misfit[] => {
        const name = String(host).toLowerCase()
        if (!isInZone(name) || isCovered(name)) return []
        const message = `expected one of dns.domains in environment.yaml (${dns.domains.join(', ')}): no record leads ${name} here, and no certificate is for it`
        return [{ of: 'configuration', path: ['routes', index, 'hosts', hostIndex], message }]
      }),
    )
  })
}
