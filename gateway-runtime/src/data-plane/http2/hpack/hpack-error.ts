/** A header block that cannot be decoded: the connection is lost (RFC 9113 section 4.3, COMPRESSION_ERROR). */
export class HpackError extends Error {
  override readonly name = 'HpackError'
}
