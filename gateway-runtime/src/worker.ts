// A worker thread of the data plane: takes messages from the control plane, one after another.
import { parentPort, workerData } from 'node:worker_threads'
import { DataPlane } from './data-plane/data-plane.ts'
import type { MessageFromWorker, MessageToWorker, WorkerSettings } from './worker-messages.ts'

const port = parentPort!
const { settings, metrics } = workerData as { settings: WorkerSettings; metrics: SharedArrayBuffer }
const send = (message: MessageFromWorker): void => port.postMessage(message)
const dataPlane = new DataPlane(settings, metrics, send)

async function handle(message: MessageToWorker): Promise<void> {
  switch (message.type) {
    case 'snapshot': {
      const { version } = message.snapshot
      try {
        await dataPlane.apply(message)
        send({ type: 'applied', version })
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
      break
    case 'challenges':
      dataPlane.useChallenges(message.challenges)
      send({ type: 'challenges-taken', version: message.version })
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
    case 'reopen-logs':
      dataPlane.reopenLogs()
      break
    case 'stop':
      dataPlane.stop()
      process.exit(0)
  }
}

let turn: Promise<void> = Promise.resolve()
port.on('message', (message: MessageToWorker) => {
  // Waiting for connections to end must not keep a snapshot or the end of the service waiting.
  const isUrgent = message.type === 'stop' || message.type === 'drain' || message.type === 'plugin-answer'
  if (isUrgent) void handle(message)
  else turn = turn.then(() => handle(message))
})
