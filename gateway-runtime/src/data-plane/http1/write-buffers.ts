import type { Socket } from 'node:net'

const size = 65_536 + 16_384 // what one read gives, and a head before it
const mostFree = 64

const free: Buffer[] = []

/**
 * Writes `before`, a chunk and `after` as one. The chunk is copied, as it is used again while the system takes it; the
 * memory of a copy serves the next when it is written: to get new memory for each costs more than all the rest.
 */
export function writeCopy(socket: Socket, before: string, chunk: Uint8Array, after: string): void {
  const length = before.length + chunk.length + after.length
  const buffer = length > size ? Buffer.allocUnsafeSlow(length) : (free.pop() ?? Buffer.allocUnsafeSlow(size))
  if (before !== '') buffer.write(before, 'latin1')
  buffer.set(chunk, before.length)
  if (after !== '') buffer.write(after, before.length + chunk.length, 'latin1')
  socket.write(buffer.subarray(0, length), () => {
    if (length <= size && free.length < mostFree) free.push(buffer)
  })
}
