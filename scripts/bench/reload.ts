import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Peer } from './peer.ts'
import { gateway } from './peers/gateway.ts'

const delay = 500

/** The gateway in peace, and one whose configuration changes once in each round. */
export const steady: Peer = { ...gateway, name: 'no reload' }

let changes = 0

const reloading: Peer = {
  ...gateway,
  name: 'a reload',
  duringLoad({ directory }) {
    const timer = setTimeout(() => {
      changes++
      const route = { name: `new-${changes}`, service: 'orders', paths: [`/new-${changes}`] }
      writeFileSync(join(directory, 'config', 'new.yaml'), JSON.stringify({ routes: [route] }))
    }, delay)
    return () => clearTimeout(timer)
  },
}

export const reloadPeers: readonly Peer[] = [steady, reloading]
