/* DNS on the wire (RFC 1035 section 4), as far as dynamic updates need it. */

export const classIn = 1
export const classNone = 254
export const classAny = 255
export const typeSoa = 6
export const typeTxt = 16
export const typeTsig = 250

/** A name as labels, in lower case and without compression. Throws where it is none. */
export function encodeName(name: string): Buffer {
  const labels = name.toLowerCase().replace(/\.$/, '').split('.')
  const parts = labels.map((label) => {
    const bytes = Buffer.from(label, 'ascii')
    if (bytes.length === 0 || bytes.length > 63)
      throw new Error(`${JSON.stringify(name)} is no name for the DNS`)
    return Buffer.concat([Buffer.from([bytes.length]), bytes])
  })
  return Buffer.concat([...parts, Buffer.from([0])])
}

export function uint16(...values: readonly number[]): Buffer {
  const bytes = Buffer.alloc(values.length * 2)
  for (const [index, value] of values.entries()) bytes.writeUInt16BE(value, index * 2)
  return bytes
}

export interface ResourceRecord {
  readonly name: string
  readonly type: number
  readonly class: number
  /** Seconds. */
  readonly ttl: number
  readonly data: Buffer
}

export function encodeRecord(record: ResourceRecord): Buffer {
  const ttl = Buffer.alloc(4)
  ttl.writeUInt32BE(record.ttl)
  return Buffer.concat([
    encodeName(record.name),
    uint16(record.type, record.class),
    ttl,
    uint16(record.data.length),
    record.data,
  ])
}

/** The text of a TXT record of at most 255 bytes. */
export const encodeText = (text: string): Buffer =>
  Buffer.concat([Buffer.from([Buffer.byteLength(text)]), Buffer.from(text)])

/** Where the last record of a message begins, and its data. Throws where there is none or the message is cut off. */
export function lastRecord(message: Buffer): {
  readonly start: number
  readonly type: number
  readonly data: Buffer
} {
  const [questions, ...others] = [4, 6, 8, 10].map((offset) => message.readUInt16BE(offset)) as [
    number,
    ...number[],
  ]
  let offset = 12
  for (let index = 0; index < questions; index++) offset = endOfName(message, offset) + 4
  let last: { start: number; type: number; data: Buffer } | undefined
  for (let index = others.reduce((sum, count) => sum + count); index > 0; index--) {
    const fields = endOfName(message, offset)
    const end = fields + 10 + message.readUInt16BE(fields + 8)
    if (end > message.length) throw new Error('the message is cut off')
    last = { start: offset, type: message.readUInt16BE(fields), data: message.subarray(fields + 10, end) }
    offset = end
  }
  if (!last) throw new Error('the message has no records')
  return last
}

/** Behind a name, also where it ends in a pointer to another. */
export function endOfName(message: Buffer, start: number): number {
  let offset = start
  for (let length = message.readUInt8(offset); length !== 0; length = message.readUInt8(offset)) {
    if (length >= 0xc0) return offset + 2
    offset += length + 1
  }
  return offset + 1
}
