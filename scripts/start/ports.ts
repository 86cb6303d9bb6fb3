import { readdir, readFile, readlink } from 'node:fs/promises'
import { createServer } from 'node:net'

/** A port that something is about to listen on, and what for. */
export interface PortUse {
  readonly port: number
  readonly what: string
}

export interface TakenPort extends PortUse {
  /** `node server.js (process 4711)`, where the system tells. */
  readonly holder: string | undefined
}

/** The ports among these that something listens on already, with the process that does. */
export async function takenPorts(uses: readonly PortUse[]): Promise<TakenPort[]> {
  const free = await Promise.all(uses.map(({ port }) => isFree(port)))
  const taken = uses.filter((_, index) => !free[index])
  return Promise.all(taken.map(async (use) => ({ ...use, holder: await portHolder(use.port) })))
}

/** The first of 1000, 2000, … by which all ports can be moved, or undefined. */
export async function freeOffset(ports: readonly number[]): Promise<number | undefined> {
  const highest = Math.max(...ports)
  for (let offset = 1_000; highest + offset <= 65_535; offset += 1_000) {
    const free = await Promise.all(ports.map((port) => isFree(port + offset)))
    if (free.every(Boolean)) return offset
  }
  return undefined
}

/** Tried on all addresses, IPv4 and IPv6, and without SO_REUSEPORT: sharing a port is no way to find it free. */
const isFree = (port: number) =>
  new Promise<boolean>((resolve, reject) => {
    const server = createServer()
    server.once('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'EADDRINUSE') resolve(false)
      else reject(new Error(`cannot listen on port ${port}: ${error.message}`))
    })
    server.listen(port, () => server.close(() => resolve(true)))
  })

/**
 * The process that listens on a port, as `command (process PID)`: from /proc on Linux, of the processes that this
 * user may look into; undefined elsewhere.
 */
export async function portHolder(port: number): Promise<string | undefined> {
  if (process.platform !== 'linux') return undefined
  const sockets = new Set((await listeningInodes(port)).map((inode) => `socket:[${inode}]`))
  if (sockets.size === 0) return undefined
  const processes = (await readdir('/proc')).filter((name) => /^\d+$/.test(name))
  for (const pid of processes) {
    if (await holdsOne(pid, sockets)) return `${await commandOf(pid)} (process ${pid})`
  }
  return undefined
}

/** Inodes of the sockets in state LISTEN on a port; see proc(5), /proc/net/tcp. */
async function listeningInodes(port: number): Promise<string[]> {
  const hexPort = port.toString(16).toUpperCase().padStart(4, '0')
  const tables = await Promise.all(['/proc/net/tcp', '/proc/net/tcp6'].map((path) => readOr(path, '')))
  return tables
    .flatMap((text) => text.split('\n').slice(1))
    .map((line) => line.trim().split(/\s+/))
    .filter(([, local, , state]) => state === '0A' && local?.endsWith(`:${hexPort}`))
    .map((fields) => fields[9] ?? '')
}

async function holdsOne(pid: string, sockets: ReadonlySet<string>): Promise<boolean> {
  const descriptors = await readdir(`/proc/${pid}/fd`).catch(() => [])
  for (const descriptor of descriptors) {
    const link = await readlink(`/proc/${pid}/fd/${descriptor}`).catch(() => '')
    if (sockets.has(link)) return true
  }
  return false
}

async function commandOf(pid: string): Promise<string> {
  const words = (await readOr(`/proc/${pid}/cmdline`, '')).split('\0').join(' ').trim()
  if (words) return words.length > 80 ? `${words.slice(0, 79)}…` : words
  return (await readOr(`/proc/${pid}/comm`, 'a process')).trim()
}

const readOr = (path: string, fallback: string) => readFile(path, 'utf8').catch(() => fallback)
