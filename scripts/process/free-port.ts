import { randomInt } from 'node:crypto'
import { createServer } from 'node:net'

// Gateways share ports (SO_REUSEPORT): two tests that begin at once and chose the same would get each other's requests.
// So each of the processes that run tests beside each other has a quarter of the ports, and none is given twice.
const part = process.env.JEST_WORKER_ID
const first = part === undefined ? 16_000 : 16_000 + (Number(part) % 4) * 4_000
const last = part === undefined ? 32_000 : first + 4_000
const given = new Set<number>()

/**
 * A TCP port that nothing listens on, for a program whose port must be written down before it starts.
 * It is taken from below the range that the kernel gives to outgoing connections, so that none of them gets it
 * in between. What can listen on port 0 should do that instead.
 */
export async function freePort(): Promise<number> {
  for (let attempt = 0; attempt < 100; attempt++) {
    const port = randomInt(first, last)
    if (given.has(port) || !(await canListen(port))) continue
    given.add(port)
    return port
  }
  throw new Error(`found no free port between ${first} and ${last}`)
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
