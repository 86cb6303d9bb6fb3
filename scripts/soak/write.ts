interface Writable {
  readonly destroyed: boolean
  readonly writable: boolean
  write(bytes: Buffer): boolean
  once(event: 'drain' | 'close', listener: () => void): unknown
  off(event: 'drain' | 'close', listener: () => void): unknown
}

/** Writes, and waits until there is room for more or the stream has closed: then nothing is written. */
export async function write(stream: Writable, bytes: Buffer): Promise<void> {
  if (stream.destroyed || !stream.writable || stream.write(bytes) || stream.destroyed) return
  const { promise: hasRoom, resolve } = Promise.withResolvers<void>()
  stream.once('drain', resolve)
  stream.once('close', resolve)
  await hasRoom
  stream.off('drain', resolve)
  stream.off('close', resolve)
}
