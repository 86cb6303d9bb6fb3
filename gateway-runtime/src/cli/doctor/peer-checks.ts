import { lookup } from 'node:dns/promises'
import { connect, type Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'
import { compile } from '../../config/index.ts'
import { servicesOf } from '../../config/packed-snapshot.ts'
import { type Check, type Finding, fail, pass, unseen, warn } from './check.ts'

const timeout = 3_000
const mostTargets = 64

interface Peer {
  readonly name: string
  readonly host: string
  readonly port: number
  /** Name that its certificate must have; undefined: no TLS. */
  readonly tls: { readonly serverName: string; readonly verify: boolean; readonly ca?: string } | undefined
}

const upstreams: Check = {
  id: 'upstreams',
  title: 'services',
  async run({ loaded }) {
    if (!loaded) return unseen('the configuration cannot be read')
    const peers = new Map<string, Peer>()
    for (const service of new Set(compile(loaded.configuration).routes.flatMap(servicesOf))) {
      for (const { host, port } of service.upstream.targets) {
        const { tls } = service
        const serverName = tls?.serverName ?? service.hostHeader?.replace(/:\d+$/, '') ?? host
        const secure = tls && tls.ca === undefined ? { serverName, verify: tls.verify } : undefined
        const key = `${host}:${port}`
        peers.set(key, { name: `${service.name}: ${key}`, host, port, tls: secure })
      }
    }
    if (peers.size === 0) return pass('no route leads to one')
    return Promise.all([...peers.values()].slice(0, mostTargets).map(checkPeer))
  },
}

/** Resolves, connects, shakes hands: the first of these that fails is told. */
async function checkPeer(peer: Peer): Promise<Finding> {
  const { name, host, port, tls } = peer
  const address = await lookup(host).catch(() => undefined)
  if (!address)
    return fail(`${name} cannot be resolved`, 'check the name in services.yaml, and the DNS servers')
  const started = performance.now()
  try {
    const socket = await connected(peer)
    socket.destroy()
    const time = `${(performance.now() - started).toFixed(0)} ms`
    return pass(`${name} takes connections${tls ? ' over TLS' : ''} (${time})`)
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException
    if (code === 'ECONNREFUSED') {
      return fail(
        `${name} refuses connections`,
        'see whether it runs (systemctl status backend), and its port in services.yaml',
      )
    }
    if (code === 'ETIMEDOUT') {
      return fail(
        `${name} does not answer within ${timeout} ms`,
        `let ${port} through the firewalls between here and there`,
      )
    }
    return fail(
      `${name}: ${message}`,
      tls ? 'check its certificate, or name its authority with ca' : 'see its log',
    )
  }
}

/** Connects, with TLS where that is wanted; rejects after 3 s. */
export function connected({ host, port, tls }: Pick<Peer, 'host' | 'port' | 'tls'>): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = tls
      ? connectTls({ host, port, servername: tls.serverName, rejectUnauthorized: tls.verify, ca: tls.ca })
      : connect({ host, port })
    const late = () => socket.destroy(Object.assign(new Error('too late'), { code: 'ETIMEDOUT' }))
    const timer = setTimeout(late, timeout)
    socket.once('error', (error) => {
      clearTimeout(timer)
      reject(error)
    })
    socket.once(tls ? 'secureConnect' : 'connect', () => {
      clearTimeout(timer)
      resolve(socket)
    })
  })
}

const redis: Check = {
  id: 'redis',
  title: 'Redis',
  async run({ loaded }) {
    if (!loaded?.configuration.redis) return pass('not configured')
    const addresses = (loaded.configuration.redis as { readonly cluster?: readonly string[] }).cluster ?? []
    return Promise.all(addresses.map(checkRedis))
  },
}

async function checkRedis(address: string): Promise<Finding> {
  const [, host, port = '6379'] = /^\[?(.*?)\]?(?::(\d+))?$/.exec(address)!
  const started = performance.now()
  try {
    const socket = await connected({ host: host!, port: Number(port), tls: undefined })
    const answer = await asked(socket, 'PING\r\nCLUSTER INFO\r\nQUIT\r\n')
    const time = performance.now() - started
    if (/^-NOAUTH/.test(answer) || answer === '')
      return pass(`${address} answers, and wants authentication or TLS`)
    const [, state] = /cluster_state:(\w+)/.exec(answer) ?? []
    if (state !== undefined && state !== 'ok') {
      return fail(`${address}: cluster_state is ${state}`, 'see redis-cli cluster nodes for what is missing')
    }
    const text = `${address} answers in ${time.toFixed(0)} ms${state === undefined ? '' : ', cluster ok'}`
    return time > 50 ? warn(text, 'put it nearer: each shared limit waits for it') : pass(text)
  } catch (error) {
    return fail(
      `${address}: ${(error as Error).message}`,
      'see whether it runs, and the firewalls on the way',
    )
  }
}

async function asked(socket: Socket, text: string): Promise<string> {
  socket.setTimeout(timeout, () => socket.destroy())
  socket.end(text)
  const parts: Buffer[] = []
  socket.on('data', (chunk: Buffer) => parts.push(chunk))
  await new Promise((resolve) => socket.once('close', resolve))
  return Buffer.concat(parts).toString()
}

/** Services and stores, over the network. */
export const peerChecks: readonly Check[] = [upstreams, redis]
