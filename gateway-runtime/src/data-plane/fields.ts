import type { ForwardedFields } from '../config/schema.ts'
import type { ClientCertificate, Consumer } from '../plugins/contract.ts'
import type { Exchange } from './exchange.ts'
import { forwardedElement, forwardedNodes } from './forwarded.ts'
import { HeaderKind, type HeaderName, headerName } from './http1/header-name.ts'
import type { MessageHead } from './http1/parser.ts'

/** Header fields in their order; `values[n]` belongs to `names[n]`. */
export interface Fields {
  readonly names: readonly HeaderName[]
  readonly values: readonly string[]
}

/** Takes the fields of a head that is being written. */
export interface FieldSink {
  field(name: HeaderName, value: string): void
}

const ownFields = {
  requestId: headerName('x-request-id'),
  forwardedFor: headerName('x-forwarded-for'),
  forwardedProto: headerName('x-forwarded-proto'),
  forwardedHost: headerName('x-forwarded-host'),
  forwarded: headerName('forwarded'),
  certificateSubject: headerName('x-client-cert-subject'),
  certificateNames: headerName('x-client-cert-san'),
  certificateFingerprint: headerName('x-client-cert-fingerprint'),
  consumerName: headerName('x-consumer-username'),
  consumerCustomId: headerName('x-consumer-custom-id'),
  consumerGroups: headerName('x-consumer-groups'),
  via: headerName('via'),
}

/**
 * The fields of a request as the target sees them, but for those that frame it: without the fields of one connection
 * and those that `Connection` names, and only then with the gateway's own, so that a client cannot take them away.
 */
export function writeRequestFields(exchange: Exchange, sink: FieldSink): void {
  const { head, peerIsTrusted, forwardedFields } = exchange
  const { names, values, connectionFields } = head
  const received = peerIsTrusted ? new ReceivedForwarded(forwardedFields) : undefined
  for (let index = 0; index < names.length; index++) {
    const name = names[index]!
    const value = values[index]!
    switch (name.kind) {
      case HeaderKind.forwardedFor:
      case HeaderKind.forwardedStandard:
      case HeaderKind.forwarded:
        if (!received?.take(name, value)) continue
        break
      case HeaderKind.other:
      case HeaderKind.singleton:
      case HeaderKind.date:
        break
      default:
        continue
    }
    if (connectionFields.length > 0 && connectionFields.includes(name.lower)) continue
    sink.field(name, value)
  }
  writeOwnFields(exchange, received, sink)
}

/** What a trusted proxy has said of the client. */
class ReceivedForwarded {
  for = ''
  proto = false
  host = false
  standard = ''
  readonly #written: ForwardedFields

  constructor(written: ForwardedFields) {
    this.#written = written
  }

  /** Returns whether the field is passed on as it is: it is not where the gateway adds to it, or says it otherwise. */
  take({ kind, lower }: HeaderName, value: string): boolean {
    if (kind === HeaderKind.forwardedFor) {
      this.for += `${value}, `
      return false
    }
    if (kind === HeaderKind.forwardedStandard) {
      if (this.#written === 'x-forwarded') return true
      if (forwardedNodes(value)) this.standard += `${value}, `
      return false
    }
    const isProto = lower === 'x-forwarded-proto'
    const isHost = lower === 'x-forwarded-host'
    this.proto ||= isProto
    this.host ||= isHost
    return this.#written !== 'rfc7239' || !(isProto || isHost)
  }
}

function writeOwnFields(exchange: Exchange, received: ReceivedForwarded | undefined, sink: FieldSink): void {
  const { head, facts, forwardedFields } = exchange
  sink.field(ownFields.requestId, exchange.requestId)
  if (forwardedFields !== 'rfc7239') {
    sink.field(ownFields.forwardedFor, received ? received.for + facts.peerAddress : facts.peerAddress)
    if (!received?.proto) sink.field(ownFields.forwardedProto, facts.scheme)
    if (!received?.host) sink.field(ownFields.forwardedHost, head.authority)
  }
  if (forwardedFields !== 'x-forwarded')
    sink.field(ownFields.forwarded, (received?.standard ?? '') + forwardedElement(exchange))
  if (facts.clientCertificate) writeCertificateFields(facts.clientCertificate, sink)
  if (exchange.consumer) writeConsumerFields(exchange.consumer, sink)
  sink.field(ownFields.via, head.version === 20 ? '2 gatehouse' : '1.1 gatehouse')
}

function writeConsumerFields({ name, customId, groups }: Consumer, sink: FieldSink): void {
  sink.field(ownFields.consumerName, name)
  if (customId !== undefined) sink.field(ownFields.consumerCustomId, customId)
  if (groups.length > 0) sink.field(ownFields.consumerGroups, groups.join(', '))
}

function writeCertificateFields({ subject, names, fingerprint }: ClientCertificate, sink: FieldSink): void {
  if (subject !== '') sink.field(ownFields.certificateSubject, subject)
  if (names.length > 0) sink.field(ownFields.certificateNames, names.join(', '))
  sink.field(ownFields.certificateFingerprint, fingerprint)
}

/**
 * The fields of an upstream's answer that are passed on: those of one connection are not, framing is written anew.
 * `exchange` says which others are not. Returns whether Date was among them.
 */
export function writeResponseFields(
  head: MessageHead,
  sink: FieldSink,
  exchange?: Pick<Exchange, 'hides'>,
): boolean {
  const { names, values } = head
  let hasDate = false
  let dropped: readonly string[] | undefined
  for (let index = 0; index < names.length; index++) {
    if (names[index]!.kind !== HeaderKind.connection || values[index] === 'keep-alive') continue
    const options = values[index]!.split(',').map((option) => option.trim().toLowerCase())
    dropped = [...(dropped ?? []), ...options]
  }
  for (let index = 0; index < names.length; index++) {
    const name = names[index]!
    switch (name.kind) {
      case HeaderKind.connection:
      case HeaderKind.contentLength:
      case HeaderKind.transferEncoding:
      case HeaderKind.hopByHop:
      case HeaderKind.requestId:
        continue
    }
    if (dropped?.includes(name.lower) || exchange?.hides(name.lower)) continue
    hasDate ||= name.kind === HeaderKind.date
    sink.field(name, values[index]!)
  }
  return hasDate
}

/**
 * The trailers that are passed on: never one that frames, routes or authenticates a message (RFC 9110 section
 * 6.5.1). Undefined where none is left.
 */
export function passedTrailers(trailers: Fields | undefined): Fields | undefined {
  if (!trailers) return undefined
  const names: HeaderName[] = []
  const values: string[] = []
  for (const [index, name] of trailers.names.entries()) {
    if (name.kind !== HeaderKind.other || /^(content-|cookie$|set-cookie$)/.test(name.lower)) continue
    names.push(name)
    values.push(trailers.values[index]!)
  }
  return names.length > 0 ? { names, values } : undefined
}
