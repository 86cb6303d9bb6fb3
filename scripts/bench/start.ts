import { once } from 'node:events'
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { distribution } from '../build/bundle.ts'
import { freePort } from '../process/free-port.ts'
import { type Program, startProgram } from '../process/program.ts'
import { type Spread, spread } from './statistics.ts'

/** What one kind of start takes; all in milliseconds. */
export interface StartFigures {
  readonly kind: string
  /** Until a connection is accepted. */
  readonly listening: Spread
  /** Until all workers and the admin API are there. */
  readonly ready: Spread
  /** Processor time of all threads until then. */
  readonly processor: Spread
}

interface Start {
  readonly listening: number
  readonly ready: number
  readonly processor: number
}

const limit = 60_000

/**
 * Measures the start of `dist/gateway`: as on a fresh host, and as with the compiled code that the start before has
 * left in NODE_COMPILE_CACHE. Each figure is taken `rounds` times, in turn.
 */
export async function benchStart(rounds: number): Promise<StartFigures[]> {
  const folder = await mkdtemp(join(tmpdir(), 'gatehouse-start-'))
  try {
    const port = await writeConfiguration(folder)
    const environments = {
      'first start': { NODE_COMPILE_CACHE: undefined },
      'with compiled code': { NODE_COMPILE_CACHE: join(folder, 'cache') },
    }
    await start(folder, port, environments['with compiled code'])
    const starts = new Map<string, Start[]>()
    for (let round = 0; round < rounds; round++) {
      for (const [kind, env] of Object.entries(environments)) {
        starts.set(kind, [...(starts.get(kind) ?? []), await start(folder, port, env)])
      }
    }
    return [...starts].map(([kind, all]) => ({
      kind,
      listening: spread(all.map(({ listening }) => listening)),
      ready: spread(all.map(({ ready }) => ready)),
      processor: spread(all.map(({ processor }) => processor)),
    }))
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

/** Returns the port that requests go to. */
async function writeConfiguration(folder: string): Promise<number> {
  const [http, admin, status] = [await freePort(), await freePort(), await freePort()]
  const configuration = {
    listeners: [{ host: '127.0.0.1', port: http }],
    admin: { port: admin },
    status: { host: '127.0.0.1', port: status },
    logs: { directory: join(folder, 'logs') },
    services: [{ name: 'orders', url: 'http://127.0.0.1:9' }],
    routes: [{ name: 'orders', service: 'orders', paths: ['/v1'] }],
  }
  await mkdir(join(folder, 'config'))
  await writeFile(join(folder, 'config/config.yaml'), JSON.stringify(configuration))
  return http
}

async function start(folder: string, port: number, env: Record<string, string | undefined>): Promise<Start> {
  const began = performance.now()
  const args = ['--config', join(folder, 'config'), '--state', join(folder, 'state')] as const
  const gateway = await startProgram({
    name: 'gateway',
    command: [join(distribution, 'gateway'), ...args],
    env,
  })
  try {
    await until(gateway, () => accepts(port))
    const listening = performance.now() - began
    await until(gateway, async () => gateway.output().includes(' ready: '))
    return { listening, ready: performance.now() - began, processor: await processorTime(gateway.pid) }
  } finally {
    await gateway.stop()
  }
}

async function until(gateway: Program, isDone: () => Promise<boolean>): Promise<void> {
  const deadline = performance.now() + limit
  while (!(await isDone())) {
    if (gateway.hasExited) throw new Error(`the gateway ended:\n${gateway.output()}`)
    if (performance.now() > deadline) throw new Error(`the gateway did not start within ${limit} ms`)
    await sleep(2)
  }
}

async function accepts(port: number): Promise<boolean> {
  const socket = connect(port, '127.0.0.1')
  return once(socket, 'connect')
    .then(
      () => true,
      () => false,
    )
    .finally(() => socket.destroy())
}

/** Milliseconds, of user and system (proc_pid_stat(5), in hundredths of a second). */
async function processorTime(pid: number): Promise<number> {
  const fields = (await readFile(`/proc/${pid}/stat`, 'utf8')).split(') ')[1]!.split(' ')
  return (Number(fields[11]) + Number(fields[12])) * 10
}

/** For people: medians, and the lowest and highest in parentheses. */
export function startTable(figures: readonly StartFigures[]) {
  const text = ({ median, min, max }: Spread) =>
    `${median.toFixed(0)} (${min.toFixed(0)}–${max.toFixed(0)}) ms`
  return {
    head: ['start', 'listening', 'ready', 'processor time'],
    rows: figures.map(({ kind, listening, ready, processor }) => [
      kind,
      text(listening),
      text(ready),
      text(processor),
    ]),
  }
}
