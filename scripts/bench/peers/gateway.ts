import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { stringify } from 'yaml'
import packageJson from '../../../package.json' with { type: 'json' }
import { distribution } from '../../build/bundle.ts'
import { freePorts } from '../../process/free-port.ts'
import { startGatewayProcess } from '../../process/gateway.ts'
import { consumerCredentials } from '../credentials.ts'
import type { Peer, PeerSetup } from '../peer.ts'
import { routePrefixes } from '../scenarios.ts'

/** Routes in a file: the gateway reads files of up to 1 MiB. */
const routesPerFile = 5_000

/** A limit that rejects nothing: what all peers have. */
const usualPlugins = [{ name: 'rate-limiting', config: { limit: 1_000_000, period: 'second' } }]

type PluginConfig = Readonly<Record<string, unknown>>

export interface BenchPlugin {
  readonly name: string
  /** Where it depends on what the benchmark has started: how it is made of that. */
  readonly config?: PluginConfig | ((setup: PeerSetup) => PluginConfig | Promise<PluginConfig>)
}

const needsRedis = (plugins: readonly BenchPlugin[]) =>
  plugins.some(({ config }) => typeof config === 'object' && config.sync === 'cluster')

const configured = ({ name, config }: BenchPlugin, setup: PeerSetup) =>
  Promise.resolve(typeof config === 'function' ? config(setup) : config).then((made) => ({
    name,
    ...(made && { config: made }),
  }))

/** The gateway as it is built, with one worker. */
export const gateway: Peer = gatewayWith('gateway', usualPlugins)

/**
 * The gateway with other plugins, under a name of its own.
 * @param problem - why it cannot be had on this machine; undefined when it can
 */
export function gatewayWith(
  name: string,
  plugins: readonly BenchPlugin[],
  problem: () => string | undefined = () => undefined,
): Peer {
  return {
    name,
    leavesOut: [],
    version: async () => `${packageJson.version} on Node.js ${process.version.slice(1)}`,
    cannot: (_, tools) => (needsRedis(plugins) && !tools.redis ? 'redis-server is not installed' : problem()),
    async start(setup) {
      const [adminPort, statusPort] = (await freePorts(2)) as [number, number]
      const configDirectory = join(setup.directory, 'config')
      await mkdir(configDirectory)
      await writeConfiguration(configDirectory, setup, { adminPort, statusPort, plugins })
      const [file, ...args] = setup.pin
      return startGatewayProcess({
        command: [file, ...args, ...program(setup.profileDirectory)],
        configDirectory,
        stateDirectory: join(setup.directory, 'state'),
        statusPort,
        limit: 120_000,
      })
    },
  }
}

const program = (profileDirectory: string | undefined) =>
  profileDirectory
    ? [
        join(distribution, 'node'),
        '--cpu-prof',
        `--cpu-prof-dir=${profileDirectory}`,
        join(distribution, 'gateway.mjs'),
      ]
    : [join(distribution, 'gateway')]

async function writeConfiguration(
  directory: string,
  setup: PeerSetup,
  {
    adminPort,
    statusPort,
    plugins,
  }: { adminPort: number; statusPort: number; plugins: readonly BenchPlugin[] },
): Promise<void> {
  const { scenario, port, upstreamPort, certificate, redis } = setup
  const tls = { protocol: 'https', ...certificate, http2: scenario.protocol === 'h2' }
  const configuration = {
    listeners: [{ host: '127.0.0.1', port, ...(scenario.protocol !== 'http' && tls) }],
    admin: { port: adminPort },
    status: { host: '127.0.0.1', port: statusPort },
    workers: 1,
    logs: { directory: './logs' },
    ...(redis !== undefined && needsRedis(plugins) && { redis: { cluster: [redis] } }),
    limits: { connection_requests: 1_000_000_000, idle_timeout: '600s' },
    services: [{ name: 'orders', url: `http://127.0.0.1:${upstreamPort}` }],
    consumers: [{ name: 'bench', groups: ['bench'], credentials: await consumerCredentials() }],
    plugins: await Promise.all(plugins.map((plugin) => configured(plugin, setup))),
  }
  await writeFile(join(directory, 'config.yaml'), stringify(configuration))
  const routes = routePrefixes(scenario).map((prefix, index) => ({
    name: `orders-${index}`,
    service: 'orders',
    // A prefix goes by whole segments: it needs no slash at its end.
    paths: [prefix.replace(/(.)\/$/, '$1')],
    strip_path: false,
  }))
  for (let first = 0; first < routes.length; first += routesPerFile) {
    const part = routes.slice(first, first + routesPerFile)
    await writeFile(join(directory, `routes-${first}.yaml`), JSON.stringify({ routes: part })) // YAML, too
  }
}
