import { type Command, InvalidArgumentError } from 'commander'
import { type Collection, parseDuration } from '../config/index.ts'
import type { Entity } from '../control-plane/admin-api/entities.ts'
import { apiKeyHash } from '../plugins/authentication/api-key.ts'
import { hashPassword } from '../plugins/authentication/password-hash.ts'
import { CliError } from './cli-error.ts'
import type { GatewayAccess } from './gateway-access.ts'
import { parsePluginSettings } from './plugin-settings.ts'
import { readPassword } from './read-password.ts'

/** How entities of a collection are made from the options of `add`. */
export interface EntityOptions {
  /** Declares arguments and options. */
  declare(add: Command): void
  /** Makes the entity; only what was given is in it, so that defaults stay defaults. */
  make(add: Command, gateway: GatewayAccess): Promise<Entity>
}

/** `a, b` or several times the option; a regular expression is taken whole, as it may hold commas. */
const list = (text: string, before: string[] = []): string[] => [
  ...before,
  ...(text.startsWith('~') ? [text] : text.split(',').map((item) => item.trim())).filter(
    (item) => item !== '',
  ),
]

function integer(text: string): number {
  if (!/^-?\d{1,15}$/.test(text)) throw new InvalidArgumentError('expected a whole number')
  return Number(text)
}

function time(text: string): string {
  if (parseDuration(text) === undefined)
    throw new InvalidArgumentError('expected a time such as 5000ms or 5s')
  return text
}

/** Options by their names in the configuration: --connect-timeout is connect_timeout. */
const given = (options: Record<string, unknown>, names: readonly string[]): Entity =>
  Object.fromEntries(
    names.flatMap((name) => {
      const value = options[name.replace(/-(.)/g, (_, letter: string) => letter.toUpperCase())]
      return value === undefined ? [] : [[name.replaceAll('-', '_'), value]]
    }),
  )

async function onlyService(gateway: GatewayAccess): Promise<string> {
  const names = (await gateway.list('services')).map(({ name }) => String(name))
  if (names.length === 1) return names[0]!
  const advice =
    names.length === 0 ? 'add one first: gateway-cli services add' : `there are ${names.join(', ')}`
  throw new CliError(`say which service with --service NAME; ${advice}`, 2)
}

export const entityOptions: Readonly<Record<Collection, EntityOptions>> = {
  services: {
    declare: (add) =>
      void add
        .requiredOption('--name <name>', 'name of the service')
        .option('--url <url>', 'where it is, such as http://10.0.12.7:8080/')
        .option('--upstream <name>', 'upstream whose targets serve it, in place of a url')
        .option('--retries <count>', 'how often a failed request is tried again (default: 3)', integer)
        .option('--connect-timeout <time>', 'time to connect (default: 5000ms)', time)
        .option('--read-timeout <time>', 'longest silence while an answer is awaited (default: 60s)', time)
        .option('--write-timeout <time>', 'longest time to take more of a body (default: 60s)', time),
    make: async (add) =>
      given(add.opts(), [
        'name',
        'url',
        'upstream',
        'retries',
        'connect-timeout',
        'read-timeout',
        'write-timeout',
      ]),
  },
  routes: {
    declare: (add) =>
      void add
        .requiredOption('--name <name>', 'name of the route')
        .option(
          '--service <name>',
          'service that its requests go to; may be left out where there is only one',
        )
        .option(
          '--paths <list>',
          'path prefixes, /a,/b; =/a is that path alone, ~ begins a regular expression',
          list,
        )
        .option('--hosts <list>', 'host names, a.example.com,*.b.example.com', list)
        .option('--methods <list>', 'methods, GET,POST', list)
        .option('--strip-path', 'cut the matched prefix off (the default)')
        .option('--no-strip-path', 'send the path on as it is')
        .option('--preserve-host', 'let the service see the Host of the client')
        .option('--priority <number>', 'a higher one is matched first (default: 0)', integer),
    make: async (add, gateway) => {
      const { name, ...rest } = given(add.opts(), [
        'name',
        'paths',
        'hosts',
        'methods',
        'preserve-host',
        'priority',
      ])
      const service = add.opts().service ?? (await onlyService(gateway))
      // Commander takes a --no- option as true by default: only what stands in the command counts.
      const stripPath =
        add.getOptionValueSource('stripPath') === 'cli' ? { strip_path: add.opts().stripPath } : {}
      return { name, service, ...rest, ...stripPath }
    },
  },
  upstreams: {
    declare: (add) =>
      void add
        .requiredOption('--name <name>', 'name of the upstream')
        .requiredOption('--targets <list>', 'its targets, 10.0.12.7:8080,10.0.12.8:8080', list),
    make: async (add) => {
      const { name, targets } = add.opts<{ name: string; targets: string[] }>()
      return { name, targets: targets.map((target) => ({ target })) }
    },
  },
  consumers: {
    declare: (add) =>
      void add
        .requiredOption('--name <name>', 'name of the consumer')
        .option('--custom-id <id>', 'what another system calls it')
        .option('--groups <list>', 'groups it is in, for acl', list)
        .option('--api-key <key>', 'API key for key-auth; only its hash is stored')
        .option(
          '--basic-auth <user>',
          'user name for basic-auth; the password is read from standard input, and only its hash is stored',
        ),
    make: async (add) => {
      const { apiKey, basicAuth } = add.opts<{ apiKey?: string; basicAuth?: string }>()
      const credentials = {
        ...(apiKey !== undefined && { 'key-auth': [{ hash: apiKeyHash(apiKey) }] }),
        ...(basicAuth !== undefined && {
          'basic-auth': [{ username: basicAuth, hash: await hashPassword(await readPassword(basicAuth)) }],
        }),
      }
      return {
        ...given(add.opts(), ['name', 'custom-id', 'groups']),
        ...(Object.keys(credentials).length > 0 && { credentials }),
      }
    },
  },
  plugins: {
    declare: (add) =>
      void add
        .argument('<name>', 'plugin, such as rate-limiting')
        .option('--config <settings>', 'its settings: "limit=1000, period=second", or JSON')
        .option('--route <name>', 'only for this route')
        .option('--service <name>', 'only for this service')
        .option('--consumer <name>', 'only for this consumer'),
    make: async (add) => {
      const { config } = add.opts<{ config?: string }>()
      return {
        name: add.args[0],
        ...given(add.opts(), ['route', 'service', 'consumer']),
        ...(config !== undefined && { config: parsePluginSettings(config) }),
      }
    },
  },
  certificates: {
    declare: (add) =>
      void add
        .requiredOption('--name <name>', 'name of the certificate')
        .requiredOption('--certificate <file>', 'PEM file with the certificate chain')
        .requiredOption('--key <file>', 'PEM file with the private key')
        .option('--hosts <list>', 'server names it is for (default: those in the certificate)', list),
    make: async (add) => given(add.opts(), ['name', 'certificate', 'key', 'hosts']),
  },
}
