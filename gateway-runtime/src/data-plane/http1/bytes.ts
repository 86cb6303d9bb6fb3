/* The bytes that HTTP/1.1 knows (RFC 9110 section 5.6.2, RFC 9112 section 2). */

export const HTAB = 0x09
export const LF = 0x0a
export const CR = 0x0d
export const SP = 0x20
export const COLON = 0x3a
export const SEMICOLON = 0x3b

/** What a byte may be part of, as bits. */
export const isToken = 1
/** Field values, reason phrases, chunk extensions: all but control characters. */
export const isText = 2
/** Request targets: printable ASCII. */
export const isTarget = 4

export const byteClasses = new Uint8Array(256)
for (let byte = 0x20; byte < 0x7f; byte++) byteClasses[byte] = byte === SP ? isText : isText | isTarget
for (let byte = 0x80; byte < 0x100; byte++) byteClasses[byte] = isText
byteClasses[HTAB] = isText
for (const byte of Buffer.from("!#$%&'*+-.^_`|~0123456789")) byteClasses[byte]! |= isToken
for (const byte of Buffer.from('ABCDEFGHIJKLMNOPQRSTUVWXYZ')) {
  byteClasses[byte]! |= isToken
  byteClasses[byte + 0x20]! |= isToken
}
