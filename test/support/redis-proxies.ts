import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net'
import { freePorts } from './ports.ts'

/** The way of one client to one server of a cluster. */
export interface RedisProxy {
  /** `127.0.0.1:PORT`. */
  readonly address: string
  /** Milliseconds by which each answer comes later. */
  delay: number
  /** Breaks the connections and refuses new ones; `hang` keeps them and lets nothing through. */
  cut(how?: 'refuse' | 'hang'): void
  /** Lets everything through again. */
  mend(): void
}

export interface RedisProxies {
  readonly addresses: readonly string[]
  /** Server port → the way to it. */
  readonly of: ReadonlyMap<number, RedisProxy>
  /** Does so with all ways: this client is cut off from the whole cluster. */
  cut(how?: 'refuse' | 'hang'): void
  mend(): void
  delay(milliseconds: number): void
  stop(): Promise<void>
}

/**
 * Stands between one client of a Redis Cluster and its servers, a TCP proxy for each. Where the cluster says on which
 * ports its servers are (CLUSTER SLOTS, MOVED), the client reads those of the proxies: a number of five digits that
 * is a server's port is replaced in all answers.
 */
export async function startRedisProxies(serverPorts: readonly number[]): Promise<RedisProxies> {
  const ports = await freePorts(serverPorts.length)
  const byServer = new Map(serverPorts.map((port, index) => [String(port), String(ports[index])]))
  const pattern = new RegExp(`\\b(${serverPorts.join('|')})\\b`, 'g')
  const rewrite = (answer: Buffer) =>
    Buffer.from(
      answer.toString('latin1').replace(pattern, (port) => byServer.get(port)!),
      'latin1',
    )
  const proxies = await Promise.all(
    serverPorts.map(async (port, index) => {
      const proxy = new ServerProxy(port, rewrite)
      await proxy.listen(ports[index]!)
      return [port, proxy] as const
    }),
  )
  const all = proxies.map(([, proxy]) => proxy)
  return {
    addresses: all.map(({ address }) => address),
    of: new Map(proxies),
    cut: (how) => {
      for (const proxy of all) proxy.cut(how)
    },
    mend: () => {
      for (const proxy of all) proxy.mend()
    },
    delay: (milliseconds) => {
      for (const proxy of all) proxy.delay = milliseconds
    },
    stop: async () => {
      await Promise.all(all.map((proxy) => proxy.stop()))
    },
  }
}

class ServerProxy implements RedisProxy {
  delay = 0
  readonly #serverPort: number
  readonly #rewrite: (answer: Buffer) => Buffer
  readonly #server: Server
  readonly #sockets = new Set<Socket>()
  #state: 'open' | 'refuse' | 'hang' = 'open'

  constructor(serverPort: number, rewrite: (answer: Buffer) => Buffer) {
    this.#serverPort = serverPort
    this.#rewrite = rewrite
    this.#server = createServer((client) => this.#pass(client))
  }

  get address(): string {
    return `127.0.0.1:${(this.#server.address() as AddressInfo).port}`
  }

  async listen(port: number): Promise<void> {
    this.#server.listen(port, '127.0.0.1')
    await once(this.#server, 'listening')
  }

  cut(how: 'refuse' | 'hang' = 'refuse'): void {
    this.#state = how
    if (how === 'refuse') this.#breakAll()
  }

  mend(): void {
    // What hung so long is not told of late: its connections break.
    if (this.#state === 'hang') this.#breakAll()
    this.#state = 'open'
  }

  async stop(): Promise<void> {
    const closed = once(this.#server, 'close')
    this.#server.close()
    this.#breakAll()
    await closed
  }

  #breakAll(): void {
    for (const socket of this.#sockets) socket.destroy()
  }

  #pass(client: Socket): void {
    if (this.#state === 'refuse') return void client.destroy()
    const server = connect({ host: '127.0.0.1', port: this.#serverPort })
    for (const [socket, other] of [
      [client, server],
      [server, client],
    ] as const) {
      this.#sockets.add(socket)
      socket.setNoDelay(true)
      socket.on('error', () => {})
      socket.once('close', () => {
        this.#sockets.delete(socket)
        other.destroy()
      })
    }
    client.on('data', (data) => {
      if (this.#state === 'open') server.write(data)
    })
    server.on('data', (data) => {
      const send = () => {
        if (this.#state === 'open' && !client.destroyed) client.write(this.#rewrite(data))
      }
      // Timers of one length run in the order in which they were set.
      if (this.delay > 0) setTimeout(send, this.delay)
      else send()
    })
  }
}
