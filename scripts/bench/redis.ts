import { setTimeout as sleep } from 'node:timers/promises'
import { createClient } from '@redis/client'
import { freePorts } from '../process/free-port.ts'
import { type Program, startProgram } from '../process/program.ts'
import type { Pin } from './peer.ts'

export interface BenchRedis {
  readonly program: Program
  /** host:port, as redis.cluster of config.yaml takes it. */
  readonly address: string
}

/** A Redis Cluster of one server that has all slots: what the proxy asks of it costs the same. */
export async function startRedis(redis: string, pin: Pin, directory: string): Promise<BenchRedis> {
  const [port, busPort] = (await freePorts(2)) as [number, number]
  const settings = {
    port,
    'cluster-port': busPort,
    bind: '127.0.0.1',
    dir: directory,
    'cluster-enabled': 'yes',
    save: '',
  }
  const args = Object.entries(settings).flatMap(([name, value]) => [`--${name}`, String(value)])
  const program = await startProgram({ name: 'redis-server', command: [...pin, redis, ...args] })
  try {
    await takeAllSlots(port, program)
    return { program, address: `127.0.0.1:${port}` }
  } catch (error) {
    await program.stop()
    throw error
  }
}

async function takeAllSlots(port: number, program: Program): Promise<void> {
  const client = createClient({
    socket: { host: '127.0.0.1', port, reconnectStrategy: (tries) => (tries < 100 ? 50 : false) },
  })
  client.on('error', () => {}) // until it listens
  await client.connect()
  try {
    await client.sendCommand(['CLUSTER', 'ADDSLOTSRANGE', '0', '16383'])
    while (!String(await client.sendCommand(['CLUSTER', 'INFO'])).includes('cluster_state:ok')) {
      if (program.hasExited) throw new Error(`redis-server ended; it wrote:\n${program.output()}`)
      await sleep(20)
    }
  } finally {
    client.destroy()
  }
}
