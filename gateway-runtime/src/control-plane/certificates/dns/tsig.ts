import { createHmac, timingSafeEqual } from 'node:crypto'
import { classAny, encodeName, encodeRecord, endOfName, lastRecord, typeTsig, uint16 } from './dns-message.ts'

/** A key that DNS messages are signed with (RFC 8945). */
export interface TsigKey {
  readonly name: string
  readonly algorithm: 'hmac-sha256' | 'hmac-sha384' | 'hmac-sha512'
  readonly secret: Buffer
}

const fudge = 300 // seconds that clocks may differ by
const errors: Readonly<Record<number, string>> = {
  16: 'the signature is wrong: key_secret or key_algorithm is another there',
  17: 'it does not know the key: key_name is another there',
  18: 'the clocks of the two are too far apart',
}

/** What is signed of the record itself (RFC 8945 section 4.3.3). */
function variables(
  { name, algorithm }: TsigKey,
  time: Buffer,
  allowed: number,
  error: number,
  other: Buffer,
): Buffer {
  return Buffer.concat([
    encodeName(name),
    uint16(classAny, 0, 0),
    encodeName(algorithm),
    time,
    uint16(allowed, error, other.length),
    other,
  ])
}

const hmac = ({ algorithm, secret }: TsigKey, ...parts: readonly Buffer[]): Buffer =>
  createHmac(algorithm.slice('hmac-'.length), secret).update(Buffer.concat(parts)).digest()

/**
 * Signs a message.
 * @param now - milliseconds since 1970
 */
export function signMessage(
  message: Buffer,
  key: TsigKey,
  now: number,
): { readonly signed: Buffer; readonly mac: Buffer } {
  const time = Buffer.alloc(6)
  time.writeUIntBE(Math.floor(now / 1_000), 0, 6)
  const mac = hmac(key, message, variables(key, time, fudge, 0, Buffer.alloc(0)))
  const id = message.readUInt16BE(0)
  const data = Buffer.concat([
    encodeName(key.algorithm),
    time,
    uint16(fudge, mac.length),
    mac,
    uint16(id, 0, 0),
  ])
  const record = encodeRecord({ name: key.name, type: typeTsig, class: classAny, ttl: 0, data })
  const signed = Buffer.concat([message, record])
  signed.writeUInt16BE(message.readUInt16BE(10) + 1, 10)
  return { signed, mac }
}

/**
 * Checks that an answer was signed with the key, as the answer to a message with this signature, and now.
 * Throws, saying why, where it was not.
 */
export function verifyAnswer(answer: Buffer, key: TsigKey, requestMac: Buffer, now: number): void {
  const { start, type, data } = lastRecord(answer)
  if (type !== typeTsig) throw new Error('the DNS server does not sign its answer')
  const fields = endOfName(data, 0)
  const time = data.subarray(fields, fields + 6)
  const allowed = data.readUInt16BE(fields + 6)
  const size = data.readUInt16BE(fields + 8)
  const mac = data.subarray(fields + 10, fields + 10 + size)
  const rest = fields + 10 + size
  const error = data.readUInt16BE(rest + 2)
  if (error !== 0)
    throw new Error(`the DNS server refuses the TSIG key: ${errors[error] ?? `error ${error}`}`)
  const unsigned = Buffer.from(answer.subarray(0, start))
  unsigned.writeUInt16BE(data.readUInt16BE(rest), 0)
  unsigned.writeUInt16BE(answer.readUInt16BE(10) - 1, 10)
  const other = data.subarray(rest + 6, rest + 6 + data.readUInt16BE(rest + 4))
  const wanted = hmac(
    key,
    uint16(requestMac.length),
    requestMac,
    unsigned,
    variables(key, time, allowed, 0, other),
  )
  if (wanted.length !== mac.length || !timingSafeEqual(wanted, mac))
    throw new Error('the answer of the DNS server is not signed with the TSIG key')
  if (Math.abs(now / 1_000 - time.readUIntBE(0, 6)) > allowed) throw new Error(errors[18])
}
