import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { type Client, type ClientContext, longestRequest } from './client-context.ts'
import { runFaults } from './faults.ts'
import { checkGateway } from './final-checks.ts'
import { GatewayUnderLoad } from './gateway-under-load.ts'
import { Generations } from './generations.ts'
import { runHttp1Client } from './http1-client.ts'
import { runHttp2Client } from './http2-client.ts'
import { Judge, type Protocol } from './judge.ts'
import { upstreamPlans } from './layout.ts'
import { LiveMemory } from './live-memory.ts'
import { MemoryWatch } from './memory.ts'
import { Planner } from './plan.ts'
import { Random } from './random.ts'
import { runReloads } from './reloads.ts'
import { reportOf, type SoakReport } from './report.ts'
import { Stalls } from './stalls.ts'
import { Tally } from './tally.ts'
import { SoakUpstream } from './upstream.ts'

export interface SoakOptions {
  /** Length of the load in milliseconds. */
  readonly duration: number
  /** Repeats what clients, upstreams and the configuration do; not when. */
  readonly seed: number
  /** Connections of clients at a time. */
  readonly connections: number
  /** Called every second. */
  readonly onProgress: (progress: SoakProgress) => void
}

export interface SoakProgress {
  /** Milliseconds of the load that are over. */
  readonly elapsed: number
  readonly tally: Tally
  /** What is alive of the gateway's memory, in bytes. */
  readonly memory: number
}

const progressInterval = 1_000
const busyPause = 100
const idlePause = 15_000

/**
 * Puts the built gateway under load while upstreams fail, clients go and the configuration changes, and checks every
 * answer. Leaves nothing running; files only where something failed, for the logs. Throws where it cannot begin.
 */
export async function soak(options: SoakOptions): Promise<SoakReport> {
  const directory = await mkdtemp(join(tmpdir(), 'gatehouse-soak-'))
  const gateway = await GatewayUnderLoad.start(directory).catch(async (error) => {
    await rm(directory, { recursive: true, force: true })
    throw error
  })
  const report = await new Soak(options, gateway).run().finally(() => gateway.process.stop())
  if (report.failureCount > 0) return { ...report, logDirectory: gateway.logDirectory }
  await rm(directory, { recursive: true, force: true })
  return report
}

class Soak {
  readonly #options: SoakOptions
  readonly #gateway: GatewayUnderLoad
  readonly #random: Random
  readonly #generations = new Generations()
  readonly #upstreams: readonly SoakUpstream[]
  readonly #tally: Tally
  readonly #context: ClientContext
  readonly #over = new AbortController()
  readonly #stalls = new Stalls()

  constructor(options: SoakOptions, gateway: GatewayUnderLoad) {
    this.#options = options
    this.#gateway = gateway
    this.#random = new Random(options.seed)
    this.#upstreams = upstreamPlans.map(
      ({ name, http2 }) =>
        new SoakUpstream({
          name,
          http2,
          port: gateway.ports.upstreams.get(name)!,
          random: this.#random.fork(),
          onViolation: (explanation) => this.#tally.fail(explanation),
        }),
    )
    const modes = new Map(this.#upstreams.map(({ name, modes }) => [name, modes]))
    const judge = new Judge(modes, this.#generations, this.#stalls)
    this.#tally = new Tally(judge)
    this.#context = {
      planner: new Planner(this.#random.fork()),
      judge,
      tally: this.#tally,
      stop: this.#over.signal,
    }
  }

  async run(): Promise<SoakReport> {
    const { duration, seed, connections, onProgress } = this.#options
    const tally = this.#tally
    const memory = new MemoryWatch(
      this.#gateway.process.pid,
      await LiveMemory.connect(this.#gateway.ports.inspector),
    )
    const began = performance.now()
    const progress = setInterval(
      () => onProgress({ elapsed: performance.now() - began, tally, memory: memory.current }),
      progressInterval,
    )
    try {
      for (const upstream of this.#upstreams) await upstream.become('well')
      const faults = await this.#load()
      const verdict = memory.stop()
      if (!verdict.isFlat) tally.fail('what is alive of the memory of the gateway grew by more than 5 %')
      if (this.#gateway.process.hasExited)
        tally.fail(`the gateway ended under load; it wrote: ${this.#gateway.process.output().slice(-2_000)}`)
      else await checkGateway(this.#gateway, tally)
      return reportOf({ seed, duration, connections, faults, tally, memory: verdict })
    } finally {
      this.#over.abort()
      memory.stop()
      this.#stalls.stop()
      clearInterval(progress)
      for (const upstream of this.#upstreams) await upstream.stop()
    }
  }

  /** All there is at once, until the time is over or the gateway ends. Returns how often upstreams fell ill. */
  async #load(): Promise<number> {
    const stop = this.#over.signal
    const clients = this.#clients().map((client) =>
      client.protocol.startsWith('HTTP/2')
        ? runHttp2Client(client, this.#context)
        : runHttp1Client(client, this.#context),
    )
    const faults = this.#upstreams.map((upstream, index) =>
      runFaults(upstream, upstreamPlans[index]!.fails, this.#random.fork(), stop),
    )
    const reloads = runReloads(this.#gateway, this.#generations, this.#random.fork(), this.#tally, stop)
    await Promise.race([
      sleep(this.#options.duration, undefined, { ref: false }),
      this.#gateway.process.exited,
    ])
    this.#over.abort()
    const counts = await Promise.all(faults)
    await this.#untilOver([...clients, reloads])
    return counts.reduce((sum, count) => sum + count, 0)
  }

  async #untilOver(all: readonly Promise<void>[]): Promise<void> {
    let left = all.length
    const ended = Promise.all(all.map((one) => one.then(() => left--)))
    await Promise.race([ended, sleep(2 * longestRequest, undefined, { ref: false })])
    if (left > 0) this.#tally.fail(`${left} clients have not come to an end`)
  }

  #clients(): Client[] {
    const { ports, ca } = this.#gateway
    const kinds: readonly { port: number; protocol: Protocol; ca: string | undefined }[] = [
      { port: ports.plain, protocol: 'HTTP/1.1', ca: undefined },
      { port: ports.both, protocol: 'HTTP/2', ca: undefined },
      { port: ports.secure, protocol: 'HTTP/1.1 over TLS', ca },
      { port: ports.both, protocol: 'HTTP/1.1', ca: undefined },
      { port: ports.secure, protocol: 'HTTP/2 over TLS', ca },
    ]
    return Array.from({ length: this.#options.connections }, (_, index) => ({
      ...kinds[index % kinds.length]!,
      // Some mostly do nothing: connections must outlast that, too.
      longestPause: index % 8 === 7 ? idlePause : busyPause,
      random: this.#random.fork(),
    }))
  }
}
