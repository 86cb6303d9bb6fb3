// The program `gateway`: reads its arguments, starts a node, passes signals on.

import { flushCompileCache } from 'node:module'
import { parseArgs } from 'node:util'
import { Worker } from 'node:worker_threads'
import { ConfigurationError } from './config/configuration-error.ts'
import './config/regexp-flags.ts' // before the first worker starts
import { OperationalError } from './control-plane/operational-error.ts'
import { handOver, successor } from './hand-over.ts'
import { feedWatchdog, notifyServiceManager } from './service-manager.ts'
import { usage } from './usage.ts'
import { version } from './version.ts'

function readArguments() {
  try {
    return parseArgs({
      options: {
        config: { type: 'string', default: '/etc/gateway' },
        state: { type: 'string' },
        version: { type: 'boolean' },
        help: { type: 'boolean' },
      },
    }).values
  } catch (error) {
    process.stderr.write(`gateway: ${(error as Error).message}\n\n${usage}`)
    process.exit(2)
  }
}

/** What a person is told of a failure: for what they can mend no stack, for the rest all of it. */
function describe(error: unknown): string {
  if (error instanceof ConfigurationError) return `the configuration has problems:\n${error.message}`
  if (error instanceof OperationalError) return error.message
  return error instanceof Error ? (error.stack ?? error.message) : String(error)
}

async function main(): Promise<void> {
  const options = readArguments()
  if (options.help) return void process.stdout.write(usage)
  if (options.version) return void process.stdout.write(`${version}\n`)
  const script = new URL(import.meta.url.endsWith('.ts') ? './worker.ts' : './worker.mjs', import.meta.url)
  const predecessor = successor()
  // It loads while this thread does, which is half of the time that a start takes.
  const firstWorker = new Worker(script, { name: 'worker-0' })
  const { GatewayNode } = await import('./control-plane/gateway-node.ts')
  const node = new GatewayNode({
    folder: options.config,
    stateOption: options.state,
    workerScript: script,
    firstWorker,
    ...(predecessor && { takePorts: () => predecessor.takePorts() }),
  })
  let stopping = false
  const stop = async () => {
    if (stopping) process.exit(1) // asked a second time: at once
    stopping = true
    notifyServiceManager('STOPPING=1')
    await node.stop()
    process.exit(0)
  }
  let handing = false
  const giveWay = async () => {
    if (handing || stopping) return
    handing = true
    try {
      await handOver(node)
    } catch (error) {
      handing = false
      return node.reportFailedHandOver(error as Error)
    }
    stopping = true
    await node.stop()
    process.exit(0)
  }
  process.on('SIGTERM', () => void stop())
  process.on('SIGINT', () => void stop())
  process.on('SIGHUP', () => void node.reload())
  process.on('SIGUSR1', () => node.reopenLogs())
  process.on('SIGUSR2', () => void giveWay())
  try {
    const started = await node.start()
    await predecessor?.takeOver()
    notifyServiceManager('READY=1', `STATUS=${started.split('\n')[0]}`)
    feedWatchdog()
    process.stdout.write(`${started}\n`)
    flushCompileCache() // for the next start, also where this one ends without notice
  } catch (error) {
    process.stderr.write(`gateway: ${describe(error)}\n`)
    await node.stop().catch(() => {})
    process.exit(1)
  }
}

await main()
