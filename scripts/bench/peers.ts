import type { Peer } from './peer.ts'
import { caddy } from './peers/caddy.ts'
import { gateway } from './peers/gateway.ts'
import { haproxy } from './peers/haproxy.ts'
import { nginx } from './peers/nginx.ts'
import { fastify, httpProxy3, httpProxyMiddleware, sockets } from './peers/node.ts'

/** All proxies that can be compared, in the order of the report. */
export const peers: readonly Peer[] = [
  gateway,
  nginx,
  haproxy,
  sockets,
  caddy,
  fastify,
  httpProxy3,
  httpProxyMiddleware,
]

/** The peers of a list such as `gateway,nginx`; throws with all names when there is no such peer. */
export function peersNamed(list: string): Peer[] {
  const names = new Set(list.split(',').map((name) => name.trim()))
  for (const name of names) {
    if (!peers.some((peer) => peer.name === name)) {
      throw new Error(`--peers ${list}: expected some of ${peers.map((peer) => peer.name).join(',')}`)
    }
  }
  return peers.filter((peer) => names.has(peer.name))
}
