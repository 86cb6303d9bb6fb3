import type { Exchange } from '../exchange.ts'

/** Both ends of a connection as a client and the first proxy see it. Addresses are plain: no brackets, no zone. */
export interface ConnectionEnds {
  readonly sourceAddress: string
  readonly sourcePort: number
  readonly destinationAddress: string
  readonly destinationPort: number
}

/** Whom a request comes from. The port is 0 where a proxy in front speaks HTTP: its own would say nothing. */
export const clientEndsOf = ({ clientAddress, facts }: Exchange): ConnectionEnds => ({
  sourceAddress: clientAddress,
  sourcePort: clientAddress === facts.peerAddress ? facts.peerPort : 0,
  destinationAddress: facts.localAddress,
  destinationPort: facts.localPort,
})
