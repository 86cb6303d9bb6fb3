import type { Exchange } from '../exchange.ts'
import type { Fields } from '../fields.ts'
import type { MessageHead } from '../http1/parser.ts'
import type { ConnectionEnds } from '../proxy-protocol/connection-ends.ts'
import type { UpstreamError } from './upstream-error.ts'

/** The request that a connection is serving. */
export interface UpstreamRequest {
  /** Whether the answer has no body because of what was asked (HEAD). */
  readonly expectsNoBody: boolean
  /** Ends of the client's connection, for a target that is told of them; its address is that of the true client. */
  readonly clientEnds: ConnectionEnds
  /** The protocol that the target is asked to change to: then the connection is for this request alone. */
  readonly tunnel: string | undefined
  /** The target has changed protocols: what follows is no body but the tunnel. */
  onTunnelOpen(head: MessageHead): void
  /** The target says no more in the tunnel; it still listens. */
  onTunnelEnd(): void
  /** The final answer; its body has `contentLength` bytes, undefined where only its end tells. */
  onResponseHead(head: MessageHead, contentLength: number | undefined): void
  /** The chunk is used again as soon as this returns. */
  onResponseBody(chunk: Buffer): void
  /** An interim answer (1xx) that is worth passing on: neither 100, which the gateway gives itself, nor 101. */
  onInterimResponse(head: MessageHead): void
  /** The answer is complete; the connection is the pool's again, or closed. */
  onResponseEnd(trailers: Fields | undefined): void
  /** All bytes of one read were given: now is the time to pass them on. */
  onResponseFlush(): void
  /** The request has failed here; called at most once, and never after onResponseEnd. */
  onUpstreamError(error: UpstreamError): void
  /** The target takes more of the request body. */
  onUpstreamDrain(): void
}

export interface ConnectionTimeouts {
  readonly connectTimeout: number
  readonly readTimeout: number
  readonly writeTimeout: number
}

/** What carries one request to a target and its answer back, whatever protocol the target speaks. */
export interface UpstreamStream {
  /** Whether its connection has served a request before: then its end may only mean that the target tired of waiting. */
  readonly reused: boolean
  /** `authority` and `path`, with the query, as the target is to see them. */
  sendHead(exchange: Exchange, authority: string, path: string): void
  /** The chunk is used again as soon as this returns. */
  sendBody(chunk: Buffer): void
  endRequest(trailers: Fields | undefined): void
  /** Sends what it was given. Returns whether the target takes more. */
  flush(): boolean
  /** Takes no more of the answer until `resume`. */
  pause(): void
  resume(): void
  /** The request is given up: the client has gone. */
  abandon(): void
}
