import type { z } from 'zod'

/** A request as plugins see it. Header names are given in lower case. */
export interface PluginRequest {
  readonly method: string
  /** Normalised path, without the query. */
  readonly path: string
  /** Query with its question mark, or ''. */
  readonly query: string
  /** The first value of a header, or undefined. */
  header(name: string): string | undefined
}

/** A certificate that a client has shown and that was verified. */
export interface ClientCertificate {
  /** Distinguished name as RFC 4514 writes it: `CN=orders,O=Example`. */
  readonly subject: string
  /** Alternative names: `DNS:orders.example.com`, `URI:spiffe://example.com/orders`. */
  readonly names: readonly string[]
  /** SHA-256, 64 lower-case hexadecimal digits. */
  readonly fingerprint: string
}

/** One request and its answer, on their way through the gateway. */
export interface Exchange {
  readonly request: PluginRequest
  /** Address of the client: the peer, or what a trusted proxy said. */
  readonly clientAddress: string
  readonly requestId: string
  /** Undefined where the listener asks for none, or the client showed none. */
  readonly clientCertificate: ClientCertificate | undefined
  readonly routeName: string | undefined
  readonly serviceName: string | undefined
  /** Adds a header to the answer, whoever makes it. */
  addResponseHeader(name: string, value: string): void
}

/** An answer that a plugin gives in place of the upstream. Without a body it becomes application/problem+json. */
export interface Reply {
  readonly status: number
  /** Stable, for programs: `rate-limit-exceeded`. */
  readonly code: string
  /** For people: what was wrong and what to do. Never holds an upstream's address or a secret. */
  readonly detail: string
}

export interface PluginHandlers {
  /** Return nothing to go on, a reply to end here, or a promise of either. A synchronous hook costs no promise. */
  onRequest?(exchange: Exchange): Reply | undefined | Promise<Reply | undefined>
}

/** What the gateway gives a plugin when a snapshot is compiled. */
export interface PluginContext {
  /** Memory of the size that `sharedMemory` asked for, the same in every worker, kept while the configuration is. */
  readonly sharedMemory: SharedArrayBuffer | undefined
}

export interface PluginDefinition<Schema extends z.ZodType = z.ZodType> {
  readonly name: string
  /** A higher one sees a request first. */
  readonly order: number
  /** One sentence, for lists and docs. */
  readonly description: string
  readonly config: Schema
  /** Bytes of memory that all workers share, for this configuration; a changed configuration gets new memory. */
  sharedMemory?(config: z.output<Schema>): number
  /** Runs once a worker and snapshot; all work that does not need a request belongs here. */
  create(config: z.output<Schema>, gateway: PluginContext): PluginHandlers
}

/** Checks a plugin's types; returns it as it is. */
export const definePlugin = <Schema extends z.ZodType>(plugin: PluginDefinition<Schema>) => plugin
