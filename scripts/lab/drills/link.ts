import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import type { HostRecord, LabRecord } from '../record.ts'
import { ip } from '../run.ts'
import type { Fault } from './fault.ts'

/** What becomes of frames on a cable, in each direction. */
export interface Impairment {
  /** Milliseconds. */
  readonly delay?: number
  /** Parts of 1: frames that are lost, that come twice, and that overtake those that are delayed. */
  readonly loss?: number
  readonly duplicate?: number
  readonly reorder?: number
  /** TCP ports, of either end, that it is about; all frames where there are none. */
  readonly ports?: readonly number[]
  /** The same seed has the same chances. */
  readonly seed?: number
}

const relay = fileURLToPath(new URL('link-relay.py', import.meta.url))

/**
 * Makes the cable of a host worse, on its whole way between host and bridge. It ends with this process at the latest.
 * A program passes the frames on, since few kernels that a lab runs on have netem.
 */
export async function impairLink(lab: LabRecord, host: HostRecord, impairment: Impairment): Promise<Fault> {
  const settings = { delay: 0, loss: 0, duplicate: 0, reorder: 0, ports: [], seed: 1, ...impairment }
  const program = ['python3', relay, host.name, `${host.name}-tap`, 'bridge', JSON.stringify(settings)]
  const child = spawn('ip', ['netns', 'exec', lab.namespace, ...program], { stdio: ['pipe', 'pipe', 'pipe'] })
  let complaint = ''
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    complaint += text
  })
  const ended = once(child, 'exit')
  const first = await Promise.race([once(child.stdout, 'data'), ended.then(() => undefined)])
  if (!first) throw new Error(`the cable of ${host.name} could not be impaired: ${complaint.trim()}`)
  return {
    async undo() {
      child.stdin.end()
      await ended
    },
  }
}

/** Pulls the cable of a host, which lives on. */
export async function unplug({ namespace }: LabRecord, host: HostRecord): Promise<Fault> {
  await ip(`-n ${namespace} link set ${host.name} down`)
  return { undo: async () => void (await ip(`-n ${namespace} link set ${host.name} up`)) }
}

/** Has a host send and take packets of so many bytes at most. */
export async function shrinkPackets({ namespace }: HostRecord, bytes: number): Promise<Fault> {
  const set = (mtu: number) => ip(`-n ${namespace} link set eth0 mtu ${mtu}`)
  await set(bytes)
  return { undo: async () => void (await set(1_500)) }
}
