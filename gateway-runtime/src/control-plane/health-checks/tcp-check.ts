import { once } from 'node:events'
import { connect } from 'node:net'
import type { Target } from '../../config/snapshot.ts'
import type { Check } from './check.ts'

/** Whether a connection to the target can be opened; nothing is sent or read. */
export const tcpCheck =
  ({ host, port }: Target): Check =>
  async (signal) => {
    const socket = connect({ host, port, signal })
    try {
      await once(socket, 'connect')
    } finally {
      socket.on('error', () => {}) // one that comes after the verdict changes nothing
      socket.destroy()
    }
  }
