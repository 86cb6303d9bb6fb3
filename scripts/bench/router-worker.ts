import { parentPort } from 'node:worker_threads'
import { type PackedSnapshot, unpackSnapshot } from '../../gateway-runtime/src/config/packed-snapshot.ts'
import { PluginChannel } from '../../gateway-runtime/src/data-plane/plugin-channel.ts'
import type { RoutableRequest } from '../../gateway-runtime/src/data-plane/route-conditions.ts'
import { type Runtime, RuntimeBuilder } from '../../gateway-runtime/src/data-plane/runtime.ts'
import { TimerWheel } from '../../gateway-runtime/src/data-plane/timer-wheel.ts'
import type { ErrorLog } from '../../gateway-runtime/src/telemetry/error-log.ts'
import type { SharedMemory } from '../../gateway-runtime/src/worker-messages.ts'
import { threadTime } from './thread-time.ts'

/** What the bench tells its worker. */
export type RouterTask =
  /** Build the runtime of a snapshot and keep it under a name; answers its milliseconds of processor time. */
  | { readonly build: string; readonly packed: PackedSnapshot; readonly memory: SharedMemory }
  /** Match requests at a runtime for a while; answers the nanoseconds of processor time that one took. */
  | { readonly match: string; readonly requests: readonly (readonly [host: string, path: string])[] }

const nowhere = { write: () => {} } as unknown as ErrorLog
const runtimes = new Map<string, Runtime>()
const atLeast = 1_000_000 // matches

parentPort!.on('message', (task: RouterTask) => parentPort!.postMessage(perform(task)))

function perform(task: RouterTask): number {
  if ('match' in task) return matchTime(runtimes.get(task.match)!, task.requests)
  const start = process.threadCpuUsage()
  const worker = {
    wheel: new TimerWheel(),
    index: 0,
    runtime: undefined,
    pem: new Map(),
    channel: new PluginChannel(() => {}),
    errorLog: nowhere,
  }
  runtimes.set(task.build, new RuntimeBuilder(unpackSnapshot(task.packed), task.memory, worker).build())
  return threadTime(start)
}

/** Requests as the parser makes them: strings of their own, never seen before, out of one buffer. */
function matchTime(
  { router }: Runtime,
  requests: readonly (readonly [host: string, path: string])[],
): number {
  const text = Buffer.from(requests.flat().join(''), 'latin1')
  const ends = Uint32Array.from(endsOf(requests.flat()))
  const rounds = Math.ceil(atLeast / requests.length)
  let missed = 0
  const start = process.threadCpuUsage()
  for (let round = 0; round < rounds; round++) {
    let at = 0
    for (let index = 0; index < ends.length; index += 2) {
      const host = text.toString('latin1', at, ends[index]!)
      const path = text.toString('latin1', ends[index]!, ends[index + 1]!)
      at = ends[index + 1]!
      if (!router.match(new BenchRequest(host, path))) missed++
    }
  }
  const time = threadTime(start)
  if (missed > 0) throw new Error(`${missed} requests found no route`)
  return (time * 1_000_000) / (rounds * requests.length)
}

function* endsOf(texts: readonly string[]): Iterable<number> {
  let end = 0
  for (const text of texts) {
    end += text.length
    yield end
  }
}

class BenchRequest implements RoutableRequest {
  readonly method = 'GET'
  readonly host: string
  readonly path: string
  readonly query = ''

  constructor(host: string, path: string) {
    this.host = host
    this.path = path
  }

  header(): undefined {
    return undefined
  }
}
