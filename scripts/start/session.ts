import { join } from 'node:path'
import { distribution } from '../build/bundle.ts'
import { startGatewayProcess } from '../process/gateway.ts'
import type { Program } from '../process/program.ts'
import { step } from '../terminal/progress.ts'
import type { LocalFolder, LocalLayout } from './local-folder.ts'
import { freeOffset, type PortUse, takenPorts } from './ports.ts'
import { echoAs, type RunningService, startService } from './service.ts'

/** A started local environment: the gateway as its own process, the services in this one. */
export interface Session {
  readonly folder: LocalFolder
  readonly gateway: Program
  readonly services: ReadonlyMap<string, RunningService>
  stop(): Promise<void>
}

/** Throws when something listens already where the folder's gateway and services would, saying what does. */
export async function requireFreePorts(layout: LocalLayout, currentOffset: number): Promise<void> {
  const uses = portUses(layout)
  const taken = await takenPorts(uses)
  if (taken.length === 0) return
  const lines = taken.map(
    ({ port, what, holder }) => `  ${port} (${what}) is taken by ${holder ?? 'another program'}`,
  )
  const offset = await freeOffset(uses.map(({ port }) => port))
  const advice =
    offset === undefined
      ? 'Stop what holds them and try again.'
      : `Stop what holds them, or move all ports: npm start -- --port-offset ${currentOffset + offset}`
  throw new Error(`Some ports are not free:\n${lines.join('\n')}\n${advice}`)
}

const portUses = (layout: LocalLayout): PortUse[] => [
  ...layout.listeners.map(({ port, protocol }) => ({ port, what: `gateway, ${protocol}` })),
  { port: layout.adminPort, what: 'admin API' },
  { port: layout.statusPort, what: 'metrics and health' },
  ...layout.services.map(({ name, port }) => ({ port, what: `service ${name}` })),
]

/** Starts services and gateway, in this order, and waits until the gateway is ready. All or nothing. */
export async function startSession(folder: LocalFolder, signal: AbortSignal): Promise<Session> {
  const services = new Map<string, RunningService>()
  const stopServices = async () => {
    await Promise.all([...services.values()].map((service) => service.stop()))
  }
  try {
    for (const { name, port } of folder.layout.services) {
      services.set(name, await startService(port, echoAs(name)))
    }
    const gateway = await step('Start the gateway', () =>
      startGatewayProcess({
        command: [join(distribution, 'gateway')],
        configDirectory: folder.directory,
        stateDirectory: folder.stateDirectory,
        statusPort: folder.layout.statusPort,
        signal,
        ownGroup: true, // Ctrl-C is for `npm start`, which stops the gateway once and in its turn
      }),
    )
    const stop = async () => {
      await gateway.stop()
      await stopServices()
    }
    return { folder, gateway, services, stop }
  } catch (error) {
    await stopServices()
    throw error
  }
}
