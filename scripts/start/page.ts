import { join, relative } from 'node:path'
import { distribution } from '../build/bundle.ts'
import { bold, dim } from '../terminal/style.ts'
import { table } from '../terminal/table.ts'
import type { CertificateFiles } from './development-certificates.ts'
import type { LocalFolder, LocalLayout } from './local-folder.ts'

/** What an environment would create: a count a kind of resource. */
export interface EnvironmentResources {
  readonly name: string
  readonly counts: ReadonlyMap<string, number>
}

export interface PageContent {
  readonly folder: LocalFolder
  readonly authority: CertificateFiles
  readonly environments: readonly EnvironmentResources[]
}

/** The page that `npm start` ends with. */
export function page({ folder, authority, environments }: PageContent): string {
  return [
    bold('Gatehouse is up.'),
    table(['what', 'where'], places(folder)),
    bold('What the environments would create') + dim(' (npm run synth shows every kind)'),
    table(['environment', 'resources', 'kinds'], environments.map(resources)),
    bold('Try'),
    commands(folder, authority)
      .map((command) => `  ${command}`)
      .join('\n'),
    dim('Ctrl-C stops the gateway and the services.'),
  ].join('\n\n')
}

/** A path as it can be pasted where the person ran npm. */
const shown = (path: string) => relative(process.env.INIT_CWD ?? process.cwd(), path) || '.'

const origins = {
  new: 'made from stacks/environments/local',
  kept: 'as you left it; made anew when stacks/environments/local changes',
  renewed: 'made anew, as stacks/environments/local changed; what was there: *.yaml.old',
} as const

function places(folder: LocalFolder): string[][] {
  const { listeners, adminPort, statusPort, services, logDirectory } = folder.layout
  return [
    ...listeners.map(({ port, protocol }) => [`gateway, ${protocol}`, `${protocol}://localhost:${port}`]),
    ['admin API', `http://127.0.0.1:${adminPort}`],
    ['metrics and health', `http://127.0.0.1:${statusPort}/metrics, /healthz, /readyz`],
    ...services.map(({ name, port }) => [`service ${name}`, `http://127.0.0.1:${port}`]),
    ['configuration', `${shown(folder.directory)} (${origins[folder.origin]})`],
    ['logs', `${shown(logDirectory)}/access.log, error.log`],
  ]
}

function resources({ name, counts }: EnvironmentResources): string[] {
  const kinds = [...counts].sort(([a, many], [b, more]) => more - many || a.localeCompare(b))
  const most = kinds.slice(0, 4).map(([kind, count]) => `${count} ${kind}`)
  const rest = kinds.length - most.length
  const total = kinds.reduce((sum, [, count]) => sum + count, 0)
  return [name, String(total), [...most, ...(rest > 0 ? [`and ${rest} more kinds`] : [])].join(', ')]
}

/** Three commands that work as they stand. */
function commands({ directory, layout }: LocalFolder, authority: CertificateFiles): string[] {
  const service = layout.services[0]?.name ?? 'orders'
  const change = layout.routes.includes('service-alpha')
    ? 'routes list'
    : `routes add --name service-alpha --service ${service} --paths /v1/api`
  return [
    `curl --cacert ${shown(authority.certificate)} ${exampleUrl(layout)}`,
    `${shown(join(distribution, 'gateway-cli'))} --config ${shown(directory)} ${change}`,
    `tail -f ${shown(layout.logDirectory)}/access.log`,
  ]
}

function exampleUrl({ listeners }: LocalLayout): string {
  const listener = listeners.find(({ protocol }) => protocol === 'https') ?? listeners[0]
  return `${listener?.protocol}://localhost:${listener?.port}/orders/17`
}
