import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { isIP } from 'node:net'

const types = { A: 1, AAAA: 28 } as const
const codes = { NOERROR: 0, FORMERR: 1, SERVFAIL: 2, NXDOMAIN: 3, NOTIMP: 4, REFUSED: 5 } as const
type ResponseCode = keyof typeof codes
type RecordType = keyof typeof types

/** What the server says of a name. */
export interface Zone {
  readonly addresses?: readonly string[]
  /** In seconds; 1 where it is left out. */
  readonly ttl?: number
  /** In place of addresses. */
  readonly code?: ResponseCode
  /** These queries get no answer. */
  readonly silent?: readonly RecordType[]
}

export interface Query {
  readonly name: string
  readonly type: RecordType
}

/** A DNS server on UDP (RFC 1035) for A and AAAA, which knows what a test tells it. */
export interface DnsServer {
  readonly port: number
  /** `127.0.0.1:PORT`, as `dns.servers` takes it. */
  readonly address: string
  readonly queries: readonly Query[]
  /** From now on; names that were not set are answered with NXDOMAIN. */
  set(name: string, zone: Zone): void
  /** May be called again. */
  stop(): Promise<void>
}

/** Starts one on a port of 127.0.0.1: a free one unless `port` brings back one that was stopped. */
export async function startDnsServer(port = 0): Promise<DnsServer> {
  const zones = new Map<string, Zone>()
  const queries: Query[] = []
  const socket = createSocket('udp4')
  socket.on('message', (packet, peer) => {
    const answer = respond(packet, (query) => {
      queries.push(query)
      return zones.get(query.name) ?? { code: 'NXDOMAIN' }
    })
    if (answer) socket.send(answer, peer.port, peer.address)
  })
  socket.bind(port, '127.0.0.1')
  await once(socket, 'listening')
  const bound = socket.address().port
  let isOpen = true
  return {
    port: bound,
    address: `127.0.0.1:${bound}`,
    queries,
    set: (name, zone) => void zones.set(name, zone),
    stop: async () => {
      if (!isOpen) return
      isOpen = false
      await new Promise<void>((resolve) => socket.close(() => resolve()))
    },
  }
}

/** The answer to a packet; undefined for none. */
function respond(packet: Buffer, look: (query: Query) => Zone): Buffer | undefined {
  if (packet.length < 12 || (packet[2]! & 0x80) !== 0) return undefined // no query
  const isStandard = (packet[2]! & 0x78) === 0
  if (!isStandard) return message(packet, Buffer.alloc(0), 'NOTIMP', [])
  const question = readQuestion(packet)
  if (!question) return message(packet, Buffer.alloc(0), 'FORMERR', [])
  const { name, type, bytes } = question
  if (!type) return message(packet, bytes, 'NOTIMP', [])
  const { addresses = [], ttl = 1, code = 'NOERROR', silent = [] } = look({ name, type })
  if (silent.includes(type)) return undefined
  const wanted = addresses.filter((address) => isIP(address) === (type === 'A' ? 4 : 6))
  return message(
    packet,
    bytes,
    code,
    code === 'NOERROR' ? wanted.map((address) => record(types[type], ttl, address)) : [],
  )
}

/** The only question; undefined where there is none, or not one of the class IN in labels without pointers. */
function readQuestion(packet: Buffer) {
  if (packet.readUInt16BE(4) !== 1) return undefined
  const labels: string[] = []
  let at = 12
  for (;;) {
    const length = packet[at]
    if (length === undefined || length > 63 || at + 1 + length > packet.length) return undefined
    at++
    if (length === 0) break
    labels.push(packet.toString('latin1', at, at + length))
    at += length
  }
  if (at + 4 > packet.length || packet.readUInt16BE(at + 2) !== 1) return undefined
  const number = packet.readUInt16BE(at)
  const type = number === types.A ? 'A' : number === types.AAAA ? 'AAAA' : undefined
  return { name: labels.join('.').toLowerCase(), type, bytes: packet.subarray(12, at + 4) } as const
}

function message(query: Buffer, question: Buffer, code: ResponseCode, answers: readonly Buffer[]): Buffer {
  const header = Buffer.alloc(12)
  query.copy(header, 0, 0, 2)
  const recursionDesired = query[2]! & 0x01
  header[2] = 0x84 | recursionDesired // an answer, with authority
  header[3] = 0x80 | codes[code]
  header.writeUInt16BE(question.length > 0 ? 1 : 0, 4)
  header.writeUInt16BE(answers.length, 6)
  return Buffer.concat([header, question, ...answers])
}

function record(type: number, ttl: number, address: string): Buffer {
  const data = bytesOf(address)
  const head = Buffer.alloc(12)
  head.writeUInt16BE(0xc00c, 0) // the name of the question
  head.writeUInt16BE(type, 2)
  head.writeUInt16BE(1, 4)
  head.writeUInt32BE(ttl, 6)
  head.writeUInt16BE(data.length, 10)
  return Buffer.concat([head, data])
}

function bytesOf(address: string): Buffer {
  if (isIP(address) === 4) return Buffer.from(address.split('.').map(Number))
  const [before = '', after] = address.split('::')
  const groups = (text: string | undefined) => (text ? text.split(':') : [])
  const missing = 8 - groups(before).length - groups(after).length
  const all = [
    ...groups(before),
    ...Array<string>(after === undefined ? 0 : missing).fill('0'),
    ...groups(after),
  ]
  const bytes = Buffer.alloc(16)
  for (const [index, group] of all.entries()) bytes.writeUInt16BE(Number.parseInt(group, 16), index * 2)
  return bytes
}
