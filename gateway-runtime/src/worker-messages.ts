import type { PackedSnapshot } from './config/packed-snapshot.ts'
import type { AttemptTiming, PluginTiming } from './plugins/contract.ts'

/*
 * What passes between the control plane on the main thread and the workers of the data plane.
 */

/** Memory that is written on the request path and read, or shared, by other threads. */
export interface SharedMemory {
  /** Target id → its state: see data-plane/upstreams/target-state.ts; kept over reloads. */
  readonly targets: ReadonlyMap<string, SharedArrayBuffer>
  /** One count, which goes up whenever the health of a target changes. */
  readonly healthChanges: SharedArrayBuffer
  /** This worker's counters: see telemetry/metrics.ts. Only this worker writes there. */
  readonly metrics: SharedArrayBuffer
  /** Series of a route (telemetry/metrics.ts) → block in `metrics`; kept over reloads. */
  readonly metricBlocks: ReadonlyMap<string, number>
  /** Plugin key → the memory that its `sharedMemory` asked for. */
  readonly plugins: ReadonlyMap<string, SharedArrayBuffer>
  /** Plugin id → what it counts: see telemetry/plugin-counters.ts. */
  readonly pluginCounters: ReadonlyMap<string, SharedArrayBuffer>
}

/** Name of a target → its addresses, IPv6 first; without names of which none were found yet. */
export type Addresses = ReadonlyMap<string, readonly string[]>

/** What challenges are answered with that authorities may ask for now. */
export interface Challenges {
  /** Token → key authorization (RFC 8555 section 8.3). */
  readonly http: ReadonlyMap<string, string>
  /** Server name → certificate and key for acme-tls/1, in PEM (RFC 8737). */
  readonly tls: ReadonlyMap<string, { readonly certificate: string; readonly key: string }>
}

/** A certificate that is shown to clients which name one of its hosts. */
export interface ServerCertificate {
  readonly name: string
  /** In lower case; `*.example.com` stands for one label in front. */
  readonly hosts: readonly string[]
  /** PEM texts. */
  readonly certificate: string
  readonly key: string
}

/** Certificates and keys: read and checked once, by the control plane. */
export interface TlsMaterial {
  /** PEM texts by what the configuration says: a path, or the text itself. */
  readonly pem: ReadonlyMap<string, string>
  readonly certificates: readonly ServerCertificate[]
}

export interface WorkerSettings {
  /** From 0; the same for the worker that replaces one that died. */
  readonly index: number
  readonly workers: number
  readonly logDirectory: string
}

/** The first message to a worker. */
export interface WorkerStart {
  readonly settings: WorkerSettings
  /** This worker's counters. */
  readonly metrics: SharedArrayBuffer
}

export type MessageToWorker =
  | {
      readonly type: 'snapshot'
      readonly snapshot: PackedSnapshot
      readonly memory: SharedMemory
      readonly tls: TlsMaterial
      /** Number of the certificates in `tls`, which the worker repeats in `taken`. */
      readonly certificatesVersion: number
      readonly ticketKeys: Uint8Array
      readonly addresses: Addresses
      /** Plugin key → what its service broadcast last. */
      readonly broadcasts: ReadonlyMap<string, unknown>
    }
  /** What session tickets are encrypted with from now on: 48 bytes, the same for all workers. */
  | { readonly type: 'ticket-keys'; readonly ticketKeys: Uint8Array }
  /** All certificates that there are by now, those of the snapshot among them; answered by `taken`. */
  | {
      readonly type: 'certificates'
      readonly version: number
      readonly certificates: readonly ServerCertificate[]
    }
  /** Answers to challenges, in place of those before; answered by `taken`. */
  | { readonly type: 'challenges'; readonly version: number; readonly challenges: Challenges }
  | { readonly type: 'plugin-broadcast'; readonly plugin: string; readonly message: unknown }
  | ({ readonly type: 'plugin-answer'; readonly call: number } & PluginAnswer)
  /** The addresses of these names are others now. */
  | { readonly type: 'addresses'; readonly addresses: Addresses }
  /** Take no new connections and close those that are idle; answer `drained` when none is left. */
  | { readonly type: 'drain' }
  /** Measure each request that shows one of these tokens. `version`: what the answer repeats. */
  | { readonly type: 'traces'; readonly version: number; readonly tokens: readonly string[] }
  | { readonly type: 'reopen-logs' }
  /** Write what the logs have buffered, then leave. */
  | { readonly type: 'stop' }

/** The way of one request. Times are milliseconds, begins from the head of the request on. */
export interface TracedRequest {
  readonly token: string
  readonly request_id: string
  readonly status: number
  readonly code: string | null
  readonly route: string | null
  readonly service: string | null
  readonly consumer: string | null
  readonly duration: number
  readonly plugins: readonly PluginTiming[]
  readonly attempts: readonly AttemptTiming[]
}

export type MessageFromWorker =
  | { readonly type: 'traced'; readonly traced: TracedRequest }
  | { readonly type: 'applied'; readonly version: string }
  /** The worker still serves the snapshot that it had. */
  | { readonly type: 'refused'; readonly version: string; readonly reason: string }
  | { readonly type: 'drained' }
  | { readonly type: 'traces-allowed'; readonly version: number }
  /** From now on the worker shows these certificates, or answers challenges so. */
  | { readonly type: 'taken'; readonly what: 'certificates' | 'challenges'; readonly version: number }
  /** `plugin`: its key; `call`: a number that the answer repeats. */
  | {
      readonly type: 'plugin-call'
      readonly plugin: string
      readonly call: number
      readonly message: unknown
    }

export type PluginAnswer = { readonly value: unknown } | { readonly error: string }
