import { randomInt } from 'node:crypto'
import { createServer } from 'node:net'

/**
 * A TCP port that nothing listens on, for a program whose port must be written down before it starts.
 * It is taken from below the range that the kernel gives to outgoing connections, so that none of them gets it
 * in between. What can listen on port 0 should do that instead.
 */
export async function freePort(): Promise<number> {
  for (let attempt = 0; attempt < 100; attempt++) {
    const port = randomInt(16_000, 32_000)
    if (await canListen(port)) return port
  }
  throw new Error('found no free port between 16000 and 32000')
}

/** As many different free ports as are asked for. */
export async function freePorts(count: number): Promise<number[]> {
  const ports = new Set<number>()
  while (ports.size < count) ports.add(await freePort())
  return [...ports]
}

const canListen = (port: number) =>
  new Promise<boolean>((resolve) => {
    const server = createServer()
    server.once('error', () => resolve(false))
    server.listen(port, () => server.close(() => resolve(true)))
  })
