import { CheckFailure } from './check.ts'

/*
 * The two messages of grpc.health.v1 (grpc/grpc-proto: grpc/health/v1/health.proto), which are small enough to be
 * written and read by hand:
 *
 *     HealthCheckRequest  { string service = 1 }
 *     HealthCheckResponse { ServingStatus status = 1 }
 *
 * Each goes behind the prefix of a gRPC message: a byte that says whether it is compressed, and its length in four.
 */

const prefixBytes = 5
const servingStatuses = ['UNKNOWN', 'SERVING', 'NOT_SERVING', 'SERVICE_UNKNOWN'] as const
export type ServingStatus = (typeof servingStatuses)[number]

const varintType = 0
const fixed64Type = 1
const bytesType = 2
const fixed32Type = 5
const serviceKey = (1 << 3) | bytesType
const statusField = 1
const mostVarintBytes = 10

/** With its prefix. `service`: '' asks for the server as a whole. */
export function encodeHealthRequest(service: string): Buffer {
  const name = Buffer.from(service)
  const message =
    name.length === 0 ? name : Buffer.concat([Buffer.from([serviceKey, ...varint(name.length)]), name])
  const prefix = Buffer.alloc(prefixBytes)
  prefix.writeUInt32BE(message.length, 1)
  return Buffer.concat([prefix, message])
}

/** What one message, with its prefix, says; a number that is not known yet is UNKNOWN. Throws a CheckFailure. */
export function decodeHealthResponse(answer: Buffer): ServingStatus {
  const isWhole = answer.length >= prefixBytes && answer.readUInt32BE(1) === answer.length - prefixBytes
  if (!isWhole || answer[0] !== 0) throw new CheckFailure('the answer is not one uncompressed gRPC message')
  const reader = new Reader(answer.subarray(prefixBytes))
  let status = 0
  while (!reader.isAtEnd) {
    const key = reader.varint()
    const type = key & 7
    if (key >>> 3 === statusField && type === varintType) status = reader.varint()
    else reader.skip(type)
  }
  return servingStatuses[status] ?? 'UNKNOWN'
}

function varint(value: number): number[] {
  const bytes: number[] = []
  let rest = value
  for (; rest > 0x7f; rest >>>= 7) bytes.push((rest & 0x7f) | 0x80)
  return [...bytes, rest]
}

class Reader {
  readonly #bytes: Buffer
  #at = 0

  constructor(bytes: Buffer) {
    this.#bytes = bytes
  }

  get isAtEnd(): boolean {
    return this.#at >= this.#bytes.length
  }

  /** Its lowest 32 bits: all that keys, lengths and this enumeration need. */
  varint(): number {
    let value = 0
    for (let index = 0; index < mostVarintBytes; index++) {
      const byte = this.#bytes[this.#at++]
      if (byte === undefined) break
      if (index < 5) value |= (byte & 0x7f) << (7 * index)
      if (byte < 0x80) return value >>> 0
    }
    throw new CheckFailure('the answer is not a HealthCheckResponse')
  }

  /** Passes over a field that later versions may have added. */
  skip(type: number): void {
    if (type === varintType) this.varint()
    else if (type === bytesType) this.#advance(this.varint())
    else if (type === fixed64Type) this.#advance(8)
    else if (type === fixed32Type) this.#advance(4)
    else throw new CheckFailure('the answer is not a HealthCheckResponse')
  }

  #advance(bytes: number): void {
    this.#at += bytes
    if (this.#at > this.#bytes.length) throw new CheckFailure('the answer is not a HealthCheckResponse')
  }
}
