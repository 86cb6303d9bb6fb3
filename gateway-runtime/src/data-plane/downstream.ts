import type { Fields } from './fields.ts'
import type { MessageHead } from './http1/parser.ts'
import type { Problem } from './problem.ts'

/** Bytes of another protocol both ways, in place of what is left of a connection (RFC 9110 section 7.8). */
export interface ClientTunnel {
  /** Tells the client that the target has changed protocols. From now on bodies are what either side says. */
  open(head: MessageHead): void
  /** The target says no more; the client still may. */
  end(): void
}

/** The side of an exchange that faces the client, whatever protocol it speaks. */
export interface Downstream {
  readonly hasRoom: boolean
  /** Undefined where its protocol has none. */
  readonly tunnel: ClientTunnel | undefined
  /** An answer before the answer (1xx); without a head only its status is sent. */
  sendInterim(status: number, head?: MessageHead): void
  /** Begins the answer. The body has `contentLength` bytes; undefined: known at its end. */
  sendHead(head: MessageHead, contentLength: number | undefined): void
  /** Forgets the answer that was begun, where nothing of it has left. Returns whether that was so. */
  takeBack(): boolean
  /** The chunk is used again as soon as this returns. */
  sendBody(chunk: Buffer): void
  /** The answer is complete. */
  endResponse(trailers: Fields | undefined): void
  flush(): void
  /** Answers in the place of the upstream. */
  reply(problem: Problem): void
  /** Cuts the answer off: it cannot be completed, and the client must see that. */
  abort(code: string): void
  pauseBody(): void
  resumeBody(): void
}
