import { chmod, mkdir, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { freePort } from '../process/free-port.ts'
import type { Program } from '../process/program.ts'
import {
  type CertificateFiles,
  developmentAuthority,
  ensureServerCertificate,
} from '../start/development-certificates.ts'
import { loadWithH2load } from './h2load.ts'
import { openIdleConnections, settle } from './idle-connections.ts'
import { type Measured, measureInTurn, type Sample } from './measure.ts'
import type { Peer, PeerSetup, Pin } from './peer.ts'
import { cpuTime, residentMemory } from './process-cost.ts'
import { startRedis } from './redis.ts'
import { describeMachine, type Report, reportOf } from './report.ts'
import { pathOf, type Scenario } from './scenarios.ts'
import { Skipped, type Tools } from './tools.ts'
import { startUpstream } from './upstream.ts'
import { loadWithWrk } from './wrk.ts'

export interface BenchOptions {
  readonly tools: Tools
  readonly scenario: Scenario
  readonly peers: readonly Peer[]
  /** Name of the peer that the others are compared with. */
  readonly base: string
  readonly rounds: number
  /** Length of a round. */
  readonly seconds: number
  /** Where the gateway leaves a CPU profile of each thread; without it, it is not profiled. */
  readonly profileDirectory?: string
  readonly onRound: (round: number, peer: { readonly name: string }) => void
}

/** A peer that runs. */
interface RunningPeer {
  readonly name: string
  readonly peer: Peer
  readonly program: Program
  readonly port: number
  readonly setup: PeerSetup
}

/**
 * Measures the peers in one scenario; leaves nothing running and no files. Peers that cannot do it, do not start or
 * give errors are left out, with the reason. Throws Skipped when the scenario cannot be had on this machine.
 */
export async function bench(options: BenchOptions): Promise<Report> {
  const { scenario, tools, peers } = options
  if (scenario.protocol === 'h2' && !tools.h2load) {
    throw new Skipped('h2load is not installed (package nghttp2-client)')
  }
  const directory = await mkdtemp(join(tmpdir(), 'gatehouse-bench-'))
  const place = new Place(directory, options)
  try {
    await chmod(directory, 0o711) // nginx started by root leaves its files to another user
    await place.prepare()
    const reasons = new Map(peers.map((peer) => [peer, peer.cannot(scenario, tools)]))
    const able = peers.filter((peer) => reasons.get(peer) === undefined)
    const measured = await (scenario.use === 'idle' ? measureIdle : measureLoad)(able, place)
    return await reportOf({
      scenario,
      base: options.base,
      machine: await describeMachine(tools),
      rounds: options.rounds,
      secondsPerRound: options.seconds,
      tools,
      peers: able.filter((peer) => measured.samples.has(peer)),
      samples: measured.samples,
      unable: peers.flatMap((peer) => {
        const reason = reasons.get(peer)
        return reason === undefined ? [] : [{ name: peer.name, reason }]
      }),
      failed: [...measured.failed].map(([{ name }, reason]) => ({ name, reason })),
    })
  } finally {
    await place.stopAll()
    await rm(directory, { recursive: true, force: true })
  }
}

/** Where a benchmark runs: its folder, upstream, certificate, and all that was started there. */
class Place {
  readonly options: BenchOptions
  readonly #directory: string
  readonly #programs = new Set<Program>()
  #upstreamPort = 0
  #redis: string | undefined
  #certificate: CertificateFiles = { certificate: '', key: '' }

  constructor(directory: string, options: BenchOptions) {
    this.#directory = directory
    this.options = options
  }

  async prepare(): Promise<void> {
    const authority = await developmentAuthority(join(this.#directory, 'certificates'))
    this.#certificate = {
      certificate: join(this.#directory, 'certificates/server.crt'),
      key: join(this.#directory, 'certificates/server.key'),
    }
    await ensureServerCertificate(this.#certificate, authority)
    this.#upstreamPort = await freePort()
    this.#programs.add(
      await startUpstream({
        nginx: this.options.tools.nginx,
        pin: this.#pinTo(1),
        directory: join(this.#directory, 'upstream'),
        port: this.#upstreamPort,
        scenario: this.options.scenario,
      }),
    )
    const { tools, scenario } = this.options
    if (scenario.apiKey && tools.redis) {
      const { program, address } = await startRedis(tools.redis, this.#pinTo(1), this.#directory)
      this.#programs.add(program)
      this.#redis = address
    }
  }

  async start(peer: Peer): Promise<RunningPeer> {
    const { scenario, tools, profileDirectory } = this.options
    const port = await freePort()
    const directory = await mkdtemp(join(this.#directory, `${peer.name}-`))
    await chmod(directory, 0o711)
    const setup: PeerSetup = {
      scenario,
      tools,
      pin: this.#pinTo(0),
      directory,
      port,
      upstreamPort: this.#upstreamPort,
      certificate: this.#certificate,
      ...(this.#redis !== undefined && { redis: this.#redis }),
      ...(profileDirectory && { profileDirectory }),
    }
    const program = await peer.start(setup)
    this.#programs.add(program)
    return { name: peer.name, peer, program, port, setup }
  }

  async stop({ program }: RunningPeer): Promise<void> {
    await program.stop()
    this.#programs.delete(program)
  }

  async stopAll(): Promise<void> {
    for (const program of [...this.#programs].reverse()) await program.stop()
  }

  /** One round of load, with what it cost the peer. */
  async load({ name, peer, program, port, setup }: RunningPeer, seconds: number): Promise<Sample> {
    const { scenario, tools } = this.options
    const directory = join(this.#directory, 'load')
    await mkdir(directory, { recursive: true })
    const common = { pin: this.#pinTo(1), directory, scenario, port, seconds }
    const before = await cpuTime(program.pid)
    const end = peer.duringLoad?.(setup)
    const { requests, duration, errors, p50, p99 } = await (scenario.protocol === 'h2'
      ? loadWithH2load({ ...common, tool: tools.h2load! })
      : loadWithWrk({ ...common, tool: tools.wrk })
    ).finally(end)
    const used = (await cpuTime(program.pid)) - before
    if (errors > 0 || requests === 0) throw new Error(`${name} gave ${errors} errors in ${requests} requests`)
    return {
      cpuPerRequest: used / requests,
      requestsPerSecond: requests / (duration / 1_000_000),
      p50,
      p99,
      memory: await residentMemory(program.pid),
    }
  }

  #pinTo(core: number): Pin {
    return [this.options.tools.taskset, '--cpu-list', String(core)]
  }
}

/** All run beside each other; a round of half the length before warms each up and is not counted. */
async function measureLoad(peers: readonly Peer[], place: Place): Promise<Measured<Peer>> {
  const { rounds, seconds, onRound } = place.options
  const running = new Map<Peer, RunningPeer>()
  const started = await measureInTurn(peers, {
    rounds: 1,
    onRound: () => {},
    sample: async (peer) => {
      running.set(peer, await place.start(peer))
      return place.load(running.get(peer)!, Math.max(1, Math.round(seconds / 2)))
    },
  })
  const measured = await measureInTurn([...started.samples.keys()], {
    rounds,
    onRound,
    sample: (peer) => place.load(running.get(peer)!, seconds),
  })
  return { samples: measured.samples, failed: new Map([...started.failed, ...measured.failed]) }
}

/** Memory that was once used is not given back: each round has a new process, warmed up by some load. */
const measureIdle = (peers: readonly Peer[], place: Place): Promise<Measured<Peer>> =>
  measureInTurn(peers, {
    rounds: place.options.rounds,
    onRound: place.options.onRound,
    sample: async (peer) => {
      const running = await place.start(peer)
      try {
        return await idleSample(running, place)
      } finally {
        await place.stop(running)
      }
    },
  })

async function idleSample({ program, port }: RunningPeer, place: Place): Promise<Sample> {
  const { connections: count } = place.options.scenario
  const path = pathOf(place.options.scenario)
  // As many requests as will follow, on few connections: what code and caches take is there before.
  for (let opened = 0; opened < count; opened += 1_000) {
    const warmUp = await openIdleConnections({ port, count: 1_000, path })
    warmUp.close()
  }
  await settle()
  const before = await residentMemory(program.pid)
  const connections = await openIdleConnections({ port, count, path })
  try {
    await settle()
    const memory = await residentMemory(program.pid)
    if (connections.open < count) {
      throw new Error(`${count - connections.open} of ${count} idle connections were closed`)
    }
    return { memory, memoryPerConnection: (memory - before) / count }
  } finally {
    connections.close()
  }
}
