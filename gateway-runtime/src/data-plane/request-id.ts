import { randomBytes } from 'node:crypto'

const prefix = randomBytes(8).toString('hex')
let count = randomBytes(4).readUInt32BE() * 2 ** 16

/** 32 hexadecimal digits, unlike any other: 8 random bytes of this worker, then a count. */
export const newRequestId = (): string => prefix + (count++).toString(16).padStart(16, '0')

/** Whether an id that a trusted proxy gave can be taken over: 8 to 128 characters that need no escape anywhere. */
export const isRequestId = (text: string): boolean => /^[A-Za-z0-9._~-]{8,128}$/.test(text)
