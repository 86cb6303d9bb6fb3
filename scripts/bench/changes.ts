import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { stringify } from 'yaml'
import { distribution } from '../build/bundle.ts'
import { freePorts } from '../process/free-port.ts'
import { startGatewayProcess } from '../process/gateway.ts'
import { startObjectStore } from '../process/object-store.ts'
import { startPostgres } from '../process/postgres.ts'
import type { Program } from '../process/program.ts'
import { findProgram } from '../process/system-programs.ts'
import { startRedis } from './redis.ts'
import { type Spread, spread } from './statistics.ts'

/** How long one kind of change takes; all in milliseconds. */
export interface ChangeFigures {
  readonly nodes: string
  readonly routes: number
  readonly change: 'PUT /routes/NAME' | 'POST /config'
  /** Until it is answered: it is in force on all workers of the node then. */
  readonly answered: Spread
  /** Until every node of the cluster serves it; undefined where there is one node. */
  readonly everywhere: Spread | undefined
}

interface Node {
  readonly program: Program
  readonly admin: string
  readonly url: string
  readonly token: string
}

type Settings = Readonly<Record<string, unknown>>

const kinds = ['PUT /routes/NAME', 'POST /config'] as const
const warmUp = 10

/**
 * Measures changes of one route among many: on a node with its files, over a cluster of three nodes with Postgres (which
 * notifies them), and over one with an object store, where Redis announces changes. What is not installed is left out.
 * Each figure is taken `rounds` times, after some that do not count.
 */
export async function benchChanges(rounds: number): Promise<ChangeFigures[]> {
  const folder = await mkdtemp(join(tmpdir(), 'gatehouse-changes-'))
  const ended: (() => Promise<unknown>)[] = [() => rm(folder, { recursive: true, force: true })]
  const figures: ChangeFigures[] = []
  const measure = async (title: string, count: number, routes: number, settings: Settings) => {
    const nodes: Node[] = []
    try {
      for (let node = 0; node < count; node++) nodes.push(await startNode(folder, settings))
      for (const change of kinds) figures.push(await measureChange(title, nodes, routes, change, rounds))
    } finally {
      await Promise.all(nodes.map(({ program }) => program.stop()))
    }
  }
  try {
    for (const routes of [10, 500, 2_000]) await measure('one, files', 1, routes, { workers: 2 })
    if (await findProgram('pg_createcluster')) {
      const postgres = await startPostgres()
      ended.push(() => postgres.stop())
      await measure('three, Postgres', 3, 500, { store: 'postgres', postgres: { url: postgres.url } })
    }
    const redis = await findProgram('redis-server')
    if (redis) {
      const { program, address } = await startRedis(redis, ['/usr/bin/env'], folder)
      ended.push(() => program.stop())
      const objects = await startObjectStore()
      ended.push(() => objects.stop())
      const credentials = { access_key_id: 'key-id', secret_access_key: 'none' }
      await measure('three, object store and Redis', 3, 500, {
        store: 's3://configuration/gateway.yaml',
        s3: { endpoint: objects.url, poll_interval: '1h', ...credentials },
        redis: { cluster: [address] },
      })
    }
    return figures
  } finally {
    for (const end of ended.reverse()) await end()
  }
}

async function startNode(folder: string, settings: Settings): Promise<Node> {
  const directory = await mkdtemp(join(folder, 'node-'))
  const [http, admin, status] = (await freePorts(3)) as [number, number, number]
  const configDirectory = join(directory, 'config')
  const stateDirectory = join(directory, 'state')
  const configuration = {
    listeners: [{ host: '127.0.0.1', port: http, protocol: 'http' }],
    admin: { port: admin },
    status: { host: '127.0.0.1', port: status },
    logs: { directory: join(directory, 'logs') },
    workers: 1,
    ...settings,
  }
  await mkdir(configDirectory)
  await writeFile(join(configDirectory, 'config.yaml'), stringify(configuration))
  const program = await startGatewayProcess({
    command: [join(distribution, 'gateway')],
    configDirectory,
    stateDirectory,
    statusPort: status,
  })
  const token = (await readFile(join(stateDirectory, 'admin-token'), 'utf8')).trim()
  return { program, token, admin: `http://127.0.0.1:${admin}`, url: `http://127.0.0.1:${http}` }
}

const redirect = { host: 'example.com' }

/** Without services: where a route leads is told without one. */
const routesOf = (count: number) =>
  Array.from({ length: count }, (_, index) => ({
    name: `route-${index}`,
    paths: [`/path-${index}/`, `~/pattern-${index}/\\d+$`],
    methods: ['GET', 'POST'],
    redirect,
  }))

async function call(node: Node, method: string, path: string, body?: unknown): Promise<void> {
  const response = await fetch(`${node.admin}${path}`, {
    method,
    headers: { authorization: `Bearer ${node.token}`, 'content-type': 'application/json' },
    body: JSON.stringify(body),
  })
  const text = await response.text()
  if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${text}`)
}

async function measureChange(
  nodes: string,
  all: readonly Node[],
  count: number,
  change: ChangeFigures['change'],
  rounds: number,
): Promise<ChangeFigures> {
  const [node, ...others] = all as [Node, ...Node[]]
  const routes = routesOf(count)
  await call(node, 'POST', '/config', { routes })
  const answered: number[] = []
  const everywhere: number[] = []
  for (let round = -warmUp; round < rounds; round++) {
    const path = `/new-${change[1]}-${round}`
    const changed = { ...routes[7]!, paths: [path] }
    const wanted = change === 'POST /config' ? { routes: routes.with(7, changed) } : changed
    const [method, resource] = change === 'POST /config' ? ['POST', '/config'] : ['PUT', '/routes/route-7']
    const start = performance.now()
    await call(node, method!, resource!, wanted)
    const untilAnswered = performance.now() - start
    await Promise.all(others.map((other) => served(`${other.url}${path}`)))
    if (round < 0) continue
    answered.push(untilAnswered)
    everywhere.push(performance.now() - start)
  }
  return {
    nodes,
    routes: count,
    change,
    answered: spread(answered),
    everywhere: others.length > 0 ? spread(everywhere) : undefined,
  }
}

/** Resolves when a node knows a route. */
async function served(url: string): Promise<void> {
  const deadline = performance.now() + 30_000
  for (;;) {
    const response = await fetch(url, { redirect: 'manual' })
    await response.body?.cancel()
    if (response.status === 308) return
    if (performance.now() > deadline) throw new Error(`${url} was not served within 30 s`)
    await sleep(2)
  }
}

const text = ({ median, min, max }: Spread) => `${median.toFixed(0)} (${min.toFixed(0)}–${max.toFixed(0)})`

/** What people read: medians, with the lowest and highest. */
export const changesTable = (figures: readonly ChangeFigures[]) => ({
  head: ['nodes', 'routes', 'change', 'in force on the node, ms', 'on every node, ms'],
  rows: figures.map(({ nodes, routes, change, answered, everywhere }) => [
    nodes,
    String(routes),
    change,
    text(answered),
    everywhere ? text(everywhere) : '',
  ]),
})
