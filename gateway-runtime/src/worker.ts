// A worker thread of the data plane: takes messages from the control plane, one after another.
import { flushCompileCache } from 'node:module'
import { parentPort } from 'node:worker_threads'
import { DataPlane } from './data-plane/data-plane.ts'
import type { MessageFromWorker, MessageToWorker, WorkerStart } from './worker-messages.ts'

const port = parentPort!
const send = (message: MessageFromWorker): void => port.postMessage(message)
let isFirst = true

async function handle(dataPlane: DataPlane, message: MessageToWorker): Promise<void> {
  switch (message.type) {
    case 'snapshot': {
      const { version } = message.snapshot
      try {
        await dataPlane.apply(message)
        send({ type: 'taken', what: 'certificates', version: message.certificatesVersion })
        send({ type: 'applied', version })
        keepCompiled()
      } catch (error) {
        send({ type: 'refused', version, reason: error instanceof Error ? error.message : String(error) })
      }
      break
    }
    case 'ticket-keys':
      dataPlane.useTicketKeys(message.ticketKeys)
      break
    case 'certificates':
      dataPlane.useCertificates(message.certificates)
      send({ type: 'taken', what: 'certificates', version: message.version })
      break
    case 'challenges':
      dataPlane.useChallenges(message.challenges)
      send({ type: 'taken', what: 'challenges', version: message.version })
      break
    case 'plugin-broadcast':
      dataPlane.plugins.onBroadcast(message)
      break
    case 'plugin-answer':
      dataPlane.plugins.onAnswer(message)
      break
    case 'drain':
      await dataPlane.drain()
      send({ type: 'drained' })
      break
    case 'addresses':
      dataPlane.updateAddresses(message.addresses)
      break
    case 'traces':
      dataPlane.traces.allow(message.tokens)
      send({ type: 'traces-allowed', version: message.version })
      break
    case 'reopen-logs':
      dataPlane.reopenLogs()
      break
    case 'stop':
      dataPlane.stop()
      process.exit(0)
  }
}

/** For the next start, also where this one ends without notice. Does nothing without NODE_COMPILE_CACHE. */
function keepCompiled(): void {
  if (isFirst) setImmediate(flushCompileCache)
  isFirst = false
}

// The thread is started before anyone knows what it is to do: that comes first.
port.once('message', ({ settings, metrics }: WorkerStart) => {
  const dataPlane = new DataPlane(settings, metrics, send)
  let turn: Promise<void> = Promise.resolve()
  port.on('message', (message: MessageToWorker) => {
    // Waiting for connections to end must not keep a snapshot or the end of the service waiting.
    const isUrgent = ['stop', 'drain', 'plugin-answer', 'traces'].includes(message.type)
    if (isUrgent) void handle(dataPlane, message)
    else turn = turn.then(() => handle(dataPlane, message))
  })
})
