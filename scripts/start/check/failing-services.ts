import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { stringify } from 'yaml'
import { echoAs, type RunningService, startService } from '../service.ts'

/** Services that go wrong each in its way, and the routes that lead to them. */
export interface FailingServices {
  /** Takes requests and never answers. */
  readonly silent: RunningService
  /** Echoes, until it is stopped. */
  readonly stoppable: RunningService
  stop(): Promise<void>
}

/** How often the silent service is tried again after the first time. */
export const silentRetries = 2
/** Requests a minute that /check/limited lets pass. */
export const requestLimit = 3
/** Failures in a row after which /check/circuit is given up on. */
export const circuitFailures = 2

/** Starts them on free ports and writes `check.yaml` into the configuration folder. */
export async function addFailingServices(directory: string): Promise<FailingServices> {
  const silent = await startService(0)
  const stoppable = await startService(0, echoAs('stoppable'))
  const gone = await startService(0)
  await gone.stop()
  const at = ({ port }: RunningService) => `http://127.0.0.1:${port}`
  const services = [
    { name: 'check-stoppable', url: at(stoppable), retries: 1 },
    { name: 'check-silent', url: at(silent), retries: silentRetries, read_timeout: '300ms' },
    { name: 'check-circuit', upstream: 'check-circuit', retries: 0 },
    { name: 'check-limited', url: at(stoppable) },
  ]
  const configuration = {
    services,
    upstreams: [
      {
        name: 'check-circuit',
        targets: [{ target: `127.0.0.1:${gone.port}` }],
        circuit_breaker: { consecutive_failures: circuitFailures, open_duration: '60s' },
      },
    ],
    routes: services.map(({ name }) => ({ name, service: name, paths: [`/${name.replace('-', '/')}`] })),
    plugins: [
      { name: 'rate-limiting', route: 'check-limited', config: { limit: requestLimit, period: 'minute' } },
    ],
  }
  await writeFile(join(directory, 'check.yaml'), stringify(configuration))
  return {
    silent,
    stoppable,
    stop: async () => {
      await Promise.all([silent.stop(), stoppable.stop()])
    },
  }
}
