import { connect, type Socket } from 'node:net'
import { type ConnectionOptions, connect as connectTls } from 'node:tls'
import type { CompiledService, Target } from '../../config/snapshot.ts'
import type { ConnectionEnds } from '../proxy-protocol/connection-ends.ts'
import { type ProxyVersion, proxyHeaderBytes } from '../proxy-protocol/header-bytes.ts'
import type { AddressRotation, Resolution } from './address-rotation.ts'
import type { OnRead, Transport } from './upstream-connection.ts'
import { tlsOptions, type UpstreamTls, upstreamTlsOf } from './upstream-tls.ts'

/** How a service speaks to its targets; pools are shared by the services that do it alike. */
export interface TransportSettings {
  /** Undefined: in clear. */
  readonly tls: UpstreamTls | undefined
  readonly http2: boolean
  readonly proxyProtocol: ProxyVersion | undefined
}

/** `pem`: see `upstreamTlsOf`. */
export const transportOf = (
  service: CompiledService,
  pem: ReadonlyMap<string, string>,
): TransportSettings => ({
  tls: upstreamTlsOf(service, pem),
  http2: service.http2,
  proxyProtocol: service.proxyProtocol,
})

/** How connections to a target are opened; `rotation` where it has a name. */
export function transportTo(
  { host, port }: Target,
  { tls, http2, proxyProtocol }: TransportSettings,
  rotation: AddressRotation | undefined,
): Transport {
  if (!tls) {
    const open = ({ onread, ends }: Opening, resolution?: Resolution) => {
      const socket = connect({ host, port, noDelay: true, onread, ...resolution })
      if (proxyProtocol) socket.write(proxyHeaderBytes(proxyProtocol, ends))
      return socket
    }
    return { scheme: 'http', connectEvent: 'connect', proxyProtocol, open: resolving(open, rotation) }
  }
  const optionsOf = tlsOptions(host, http2, tls)
  const open = ({ onread }: Opening, resolution?: Resolution) => {
    const options = { ...optionsOf(), host, port, onread, ...resolution } // tls.connect hands it to net.connect
    return connectTls(options)
  }
  const openBehindHeader = (onread: OnRead, ends: ConnectionEnds, version: ProxyVersion) => {
    // Several addresses by turns would put another handle under the TLS connection.
    const lookup = rotation && { lookup: rotation.lookupOne }
    const plain = connect({ host, port, noDelay: true, autoSelectFamily: false, ...lookup })
    plain.write(proxyHeaderBytes(version, ends))
    return secured(plain, { ...optionsOf(), host, port }, onread)
  }
  return {
    scheme: 'https',
    connectEvent: 'secureConnect',
    proxyProtocol,
    open: proxyProtocol
      ? (onread, ends) => openBehindHeader(onread, ends, proxyProtocol)
      : resolving(open, rotation),
  }
}

interface Opening {
  readonly onread: OnRead
  readonly ends: ConnectionEnds
}

/** An address needs no rotation, and costs none. */
const resolving = (
  open: (opening: Opening, resolution?: Resolution) => Socket,
  rotation: AddressRotation | undefined,
): Transport['open'] =>
  rotation
    ? (onread, ends) => rotation.connect((resolution) => open({ onread, ends }, resolution))
    : (onread, ends) => open({ onread, ends })

/** TLS on a socket that is there already: for that, Node.js has no `onread`, and bytes are copied. */
function secured(plain: Socket, options: ConnectionOptions, onread: OnRead): Socket {
  const socket = connectTls({ ...options, socket: plain })
  socket.on('data', (chunk: Buffer) => {
    for (let at = 0; at < chunk.length; at += onread.buffer.length)
      onread.callback(chunk.copy(onread.buffer, 0, at))
  })
  return socket
}
