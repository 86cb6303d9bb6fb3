import type { Socket } from 'node:net'
import { unpackSnapshot } from '../config/packed-snapshot.ts'
import { usePluginFile } from '../plugins/plugin-files.ts'
import { AccessLog } from '../telemetry/access-log.ts'
import { ErrorLog } from '../telemetry/error-log.ts'
import { WorkerMetrics } from '../telemetry/metrics.ts'
import type {
  Addresses,
  Challenges,
  MessageFromWorker,
  MessageToWorker,
  ServerCertificate,
  WorkerSettings,
} from '../worker-messages.ts'
import { AllowedTraces } from './allowed-traces.ts'
import type { ClientFacts } from './exchange.ts'
import { ClientConnection } from './http1/client-connection.ts'
import { Http2ClientConnection } from './http2/client-connection.ts'
import { Listeners, type Reading } from './listeners.ts'
import { LoopDelay } from './loop-delay.ts'
import { MirrorSlots } from './mirror.ts'
import { PluginChannel } from './plugin-channel.ts'
import { ProtocolSniffer } from './protocol-sniffer.ts'
import type { ConnectionEnds } from './proxy-protocol/connection-ends.ts'
import { ProxyHeaderReader } from './proxy-protocol/header-reader.ts'
import { type Runtime, RuntimeBuilder } from './runtime.ts'
import { TimerWheel } from './timer-wheel.ts'
import { plainAddress } from './trusted-proxies.ts'
import type { WorkerContext } from './worker-context.ts'

type SnapshotMessage = Extract<MessageToWorker, { type: 'snapshot' }>

interface OpenConnection {
  /** Closes when the answers that are being given are complete; at once where there are none. */
  drain(): void
}

/** One worker's data plane: its sockets, its connections, and the snapshot that new requests see. */
export class DataPlane implements WorkerContext {
  readonly wheel = new TimerWheel()
  readonly loopDelay = new LoopDelay()
  readonly mirrorSlots = new MirrorSlots()
  readonly accessLog: AccessLog
  readonly errorLog: ErrorLog
  readonly metrics: WorkerMetrics
  readonly plugins: PluginChannel
  readonly traces: AllowedTraces
  #challenges: Challenges = { http: new Map(), tls: new Map() }
  draining = false
  readonly #settings: WorkerSettings
  readonly #listeners = new Listeners({
    onConnection: (socket, facts, reading) => this.#onConnection(socket, facts, reading),
    onProxied: (socket, proceed) => this.#onProxied(socket, proceed),
    onHandshake: (socket) => this.#onHandshake(socket),
    onHandshakeFailure: (reason, client) => this.#onHandshakeFailure(reason, client),
  })
  readonly #connections = new Set<OpenConnection>()
  /** Sockets with TLS, also while hands are shaken: what is not yet a connection must not be cut off either. */
  readonly #tlsSockets = new Set<Socket>()
  #runtime: Runtime | undefined
  #onDrained: (() => void) | undefined

  /** Throws where a log file cannot be opened. */
  constructor(
    settings: WorkerSettings,
    metricsMemory: SharedArrayBuffer,
    send: (message: MessageFromWorker) => void,
  ) {
    this.#settings = settings
    this.plugins = new PluginChannel(send)
    this.traces = new AllowedTraces((traced) => send({ type: 'traced', traced }))
    this.accessLog = new AccessLog(settings.logDirectory)
    this.errorLog = new ErrorLog(settings.logDirectory)
    this.metrics = new WorkerMetrics(metricsMemory)
    setInterval(
      () => this.metrics.setLogDropped(this.accessLog.dropped, this.errorLog.dropped),
      1_000,
    ).unref()
  }

  get runtime(): Runtime {
    return this.#runtime!
  }

  /** Puts a snapshot in force, or throws and goes on with the one before. */
  async apply({ snapshot: packed, memory, tls, ticketKeys, ...others }: SnapshotMessage): Promise<void> {
    const { addresses, broadcasts } = others
    for (const file of packed.pluginFiles) usePluginFile(file)
    const snapshot = unpackSnapshot(packed)
    const previous = this.#runtime
    this.plugins.takeOver(broadcasts)
    const runtime = new RuntimeBuilder(snapshot, memory, {
      wheel: this.wheel,
      index: this.#settings.index,
      runtime: previous,
      pem: tls.pem,
      channel: this.plugins,
      errorLog: this.errorLog,
    }).build()
    updateAddresses(runtime, addresses)
    await runtime.plugins.ready()
    // The first connection may come before `apply` returns.
    this.#runtime ??= runtime
    await this.#listeners.apply(snapshot, tls, ticketKeys)
    this.metrics.moveTo(memory.metrics)
    this.#runtime = runtime
    runtime.plugins.settle()
    const kept = new Set(runtime.pools.values())
    for (const pool of previous?.pools.values() ?? []) if (!kept.has(pool)) pool.retire()
  }

  get challenges(): Challenges {
    return this.#challenges
  }

  /** Answers challenges of certificate authorities so from now on. */
  useChallenges(challenges: Challenges): void {
    this.#challenges = challenges
    this.#listeners.useChallenges(challenges.tls)
  }

  useTicketKeys(keys: Uint8Array): void {
    this.#listeners.useTicketKeys(keys)
  }

  /** Shows these certificates from now on; connections that are open keep what they began with. */
  useCertificates(certificates: readonly ServerCertificate[]): void {
    this.#listeners.useCertificates(certificates)
  }

  /** Takes over the addresses that targets with these names have now. */
  updateAddresses(addresses: Addresses): void {
    if (this.#runtime) updateAddresses(this.#runtime, addresses)
  }

  reopenLogs(): void {
    this.accessLog.reopen()
    this.errorLog.reopen()
  }

  /** Takes no new connections and resolves when the last one has closed. */
  async drain(): Promise<void> {
    this.draining = true
    this.#listeners.close()
    for (const connection of this.#connections) connection.drain()
    if (this.#isIdle) return
    await new Promise<void>((resolve) => {
      this.#onDrained = resolve
    })
  }

  stop(): void {
    this.wheel.stop()
    this.loopDelay.stop()
    this.accessLog.close()
    this.errorLog.close()
  }

  /** Whether there is room for one more connection; closes it where there is not. */
  #admit(socket: Socket): boolean {
    const limit = Math.ceil(this.runtime.limits.connections / this.#settings.workers)
    if (this.#connections.size < limit) return true
    this.metrics.countConnectionRefused()
    this.errorLog.write('error', 'connection refused: too many', { limit })
    socket.destroy()
    return false
  }

  #onProxied(socket: Socket, proceed: (ends: ConnectionEnds | undefined) => void): void {
    if (!this.#admit(socket)) return
    const peer = plainAddress(socket.remoteAddress)
    const refuse = (reason: string) => {
      this.metrics.countProxyHeaderRefused()
      this.errorLog.write('warn', 'PROXY header refused', { reason, peer })
    }
    if (!this.runtime.trustedProxies.trusts(peer)) {
      socket.destroy()
      return refuse('the peer is none of trusted_proxies')
    }
    const left = () => {
      this.#connections.delete(reader)
      this.#endDraining()
    }
    const reader = new ProxyHeaderReader(socket, this, {
      onHeader: (ends) => {
        this.#connections.delete(reader)
        proceed(ends)
      },
      onRefused: (reason) => {
        refuse(reason)
        left()
      },
      onGone: left,
    })
    this.#connections.add(reader)
  }

  #onConnection(socket: Socket, facts: ClientFacts, reading: Reading): void {
    if (!this.#admit(socket)) return
    this.metrics.onConnection()
    if (reading !== 'sniff') {
      this.#open(socket, facts, reading === 'direct')
      return
    }
    const sniffer = new ProtocolSniffer(
      socket,
      this,
      (protocol, first) => {
        this.#connections.delete(sniffer)
        this.#open(socket, { ...facts, protocol }, false).receive(first)
      },
      () => this.#onClosed(sniffer),
    )
    this.#connections.add(sniffer)
  }

  #onHandshake(socket: Socket): void {
    this.#tlsSockets.add(socket)
    socket.once('close', () => {
      this.#tlsSockets.delete(socket)
      this.#endDraining()
    })
  }

  #onHandshakeFailure(reason: string, client: string | undefined): void {
    this.metrics.countHandshakeFailure()
    this.errorLog.write('warn', 'TLS handshake of a client failed', { reason, client })
  }

  #open(socket: Socket, facts: ClientFacts, direct: boolean): ClientConnection | Http2ClientConnection {
    const onClosed = (connection: OpenConnection) => this.#onClosed(connection)
    const connection =
      facts.protocol === 'HTTP/2'
        ? new Http2ClientConnection(socket, facts, this, onClosed)
        : new ClientConnection(socket, direct, facts, this, onClosed)
    this.#connections.add(connection)
    if (this.draining) connection.drain()
    return connection
  }

  #onClosed(connection: OpenConnection): void {
    this.metrics.onConnectionClosed()
    this.#connections.delete(connection)
    this.#endDraining()
  }

  get #isIdle(): boolean {
    return this.#connections.size === 0 && this.#tlsSockets.size === 0
  }

  #endDraining(): void {
    if (this.draining && this.#isIdle) this.#onDrained?.()
  }
}

function updateAddresses({ pools }: Runtime, addresses: Addresses): void {
  for (const pool of pools.values()) {
    const found = addresses.get(pool.target.host)
    if (found) pool.updateAddresses(found)
  }
}
