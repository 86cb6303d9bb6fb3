import { randomBytes } from 'node:crypto'

const worker = randomBytes(8).toString('hex')
let high = randomBytes(4).readUInt32BE()
let low = 0
let start = startOf(high)

/** The digits of numbers below 2^16: to write a large number anew takes ten times as long as to look two up. */
const bytes = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, '0'))

function startOf(number: number): string {
  return worker + number.toString(16).padStart(12, '0')
}

/** 32 hexadecimal digits, unlike any other: 8 random bytes of this worker, then a count. */
export function newRequestId(): string {
  if (low === 0x10000) {
    low = 0
    start = startOf(++high)
  }
  const id = start + (bytes[low >> 8]! + bytes[low & 0xff]!)
  low++
  return id
}

/** Whether an id that a trusted proxy gave can be taken over: 8 to 128 characters that need no escape anywhere. */
export const isRequestId = (text: string): boolean => /^[A-Za-z0-9._~-]{8,128}$/.test(text)
