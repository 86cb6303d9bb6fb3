import { hash } from 'node:crypto'

/** The namespace that ids are derived in (RFC 9562, section 6.5): a random UUID, fixed for good. */
const namespace = Buffer.from('6f1f5fd2a0c84e5b9d0a5f6d3c1b7e42', 'hex')

/** Whether a text has the form of an id. */
export const isUuid = (text: string): boolean => /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(text)

/** The UUID of an entity without an id of its own: the same for the same name, always (version 5 of RFC 9562). */
export function derivedId(kind: string, name: string): string {
  const bytes = hash('sha1', Buffer.concat([namespace, Buffer.from(`${kind}/${name}`)]), 'buffer').subarray(
    0,
    16,
  )
  bytes[6] = (bytes[6]! & 0x0f) | 0x50
  bytes[8] = (bytes[8]! & 0x3f) | 0x80
  const digits = bytes.toString('hex')
  return digits.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5')
}
