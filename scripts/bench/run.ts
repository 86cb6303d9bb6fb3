import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { stringify } from 'yaml'
import { distribution } from '../build/bundle.ts'
import { freePorts } from '../process/free-port.ts'
import { startGatewayProcess } from '../process/gateway.ts'
import type { Program } from '../process/program.ts'
import { measure } from './measure.ts'
import { startProxyNginx, startUpstreamNginx } from './nginx.ts'
import { describeMachine, type Report } from './report.ts'
import type { Tools } from './tools.ts'

export interface BenchOptions {
  readonly tools: Tools
  readonly rounds: number
  /** Length of a round. */
  readonly seconds: number
  /** Where the gateway leaves a CPU profile of each thread; without it, it is not profiled. */
  readonly profileDirectory?: string
  readonly onRound: (round: number, peer: { readonly name: string }) => void
}

const connections = 64

/** Runs the gateway and nginx beside each other and compares them; leaves nothing running and no files. */
export async function bench(options: BenchOptions): Promise<Report> {
  const directory = await mkdtemp(join(tmpdir(), 'gatehouse-bench-'))
  const programs: Program[] = []
  const started = async (program: Promise<Program>) => {
    programs.push(await program)
    return program
  }
  try {
    const [upstreamPort, nginxPort, gatewayPort, adminPort, statusPort] = (await freePorts(5)) as Five
    const { nginx, wrk, taskset } = options.tools
    const pinTo = (core: number) => [taskset, '--cpu-list', String(core)] as const
    await started(
      startUpstreamNginx({
        nginx,
        pin: pinTo(1),
        directory: join(directory, 'upstream'),
        port: upstreamPort,
      }),
    )
    const peers = [
      {
        name: 'gateway',
        port: gatewayPort,
        program: await started(
          startGateway({
            pin: pinTo(0),
            directory,
            ports: { gateway: gatewayPort, admin: adminPort, status: statusPort, upstream: upstreamPort },
            ...(options.profileDirectory && { profileDirectory: options.profileDirectory }),
          }),
        ),
      },
      {
        name: 'nginx',
        port: nginxPort,
        program: await started(
          startProxyNginx({
            nginx,
            pin: pinTo(0),
            directory: join(directory, 'nginx'),
            port: nginxPort,
            upstreamPort,
          }),
        ),
      },
    ]
    const results = await measure(peers, {
      load: { wrk, pin: pinTo(1), directory, connections },
      rounds: options.rounds,
      seconds: options.seconds,
      onRound: options.onRound,
    })
    return {
      machine: await describeMachine(options.tools),
      rounds: options.rounds,
      secondsPerRound: options.seconds,
      connections,
      peers: results,
    }
  } finally {
    for (const program of programs.reverse()) await program.stop()
    await rm(directory, { recursive: true, force: true })
  }
}

type Five = [number, number, number, number, number]

interface GatewayOptions {
  readonly pin: readonly [file: string, ...args: string[]]
  readonly directory: string
  readonly ports: Record<'gateway' | 'admin' | 'status' | 'upstream', number>
  readonly profileDirectory?: string
}

async function startGateway({ pin, directory, ports, profileDirectory }: GatewayOptions): Promise<Program> {
  const configuration = {
    listeners: [{ host: '127.0.0.1', port: ports.gateway, protocol: 'http' }],
    admin: { port: ports.admin },
    status: { host: '127.0.0.1', port: ports.status },
    workers: 1,
    logs: { directory: './logs' },
    services: [{ name: 'orders', url: `http://127.0.0.1:${ports.upstream}` }],
    routes: [{ name: 'orders', service: 'orders', paths: ['/'] }],
    plugins: [{ name: 'rate-limiting', config: { limit: 1_000_000, period: 'second' } }],
  }
  const configDirectory = await mkdtemp(join(directory, 'gateway-'))
  await writeFile(join(configDirectory, 'config.yaml'), stringify(configuration))
  const [file, ...args] = pin
  const profiled = profileDirectory
    ? [
        join(distribution, 'node'),
        '--cpu-prof',
        `--cpu-prof-dir=${profileDirectory}`,
        join(distribution, 'gateway.mjs'),
      ]
    : [join(distribution, 'gateway')]
  return startGatewayProcess({
    command: [file, ...args, ...profiled],
    configDirectory,
    stateDirectory: join(directory, 'state'),
    statusPort: ports.status,
  })
}
