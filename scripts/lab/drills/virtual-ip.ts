import { spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { runOnHost } from '../host.ts'
import type { HostRecord } from '../record.ts'

/** Hosts that are up and hold an address. */
export async function holdersOf(hosts: readonly HostRecord[], address: string): Promise<HostRecord[]> {
  const held = await Promise.all(
    hosts.map(async (host) => {
      const { code, output } = await runOnHost(host, `ip -br addr show to ${address}/32`)
      return code === 0 && output.trim() !== '' ? [host] : []
    }),
  )
  return held.flat()
}

/** A host that took an address; `at` in milliseconds of `performance.now()`. */
export interface Move {
  readonly host: string
  readonly at: number
}

export interface Watch {
  /** Hosts that took the address since the watch began, in order; one that gives it up alone is none. */
  readonly moves: readonly Move[]
  stop(): void
}

/** Watches which hosts take an address, by what their kernels tell. */
export function watchAddress(hosts: readonly HostRecord[], address: string): Watch {
  const moves: Move[] = []
  const monitors = hosts.map((host) => {
    const monitor = spawn('ip', ['-n', host.namespace, '-o', 'monitor', 'address'], {
      stdio: ['ignore', 'pipe', 'ignore'],
    })
    createInterface({ input: monitor.stdout }).on('line', (line) => {
      if (!line.startsWith('Deleted') && line.includes(` ${address}/`))
        moves.push({ host: host.name, at: performance.now() })
    })
    return monitor
  })
  return { moves, stop: () => monitors.forEach((monitor) => void monitor.kill()) }
}
