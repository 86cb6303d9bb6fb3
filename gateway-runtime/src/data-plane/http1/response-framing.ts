import { UpstreamError } from '../upstreams/upstream-error.ts'
import { HeaderKind } from './header-name.ts'
import { type BodyLength, chunked, type MessageHead, untilClose } from './parser.ts'

const refuse = (reason: string): never => {
  throw new UpstreamError('bad-response', reason, false)
}

/** What the parser leaves to its caller (RFC 9112 section 2.3, RFC 9110 section 15). Throws UpstreamError. */
export function checkStatusLine({ version, status }: MessageHead): void {
  if (version !== 11 && version !== 10) refuse(`HTTP version ${version / 10}`)
  if (status < 100 || status > 599) refuse(`status ${status}`)
}

/** How long the body of an answer is by its fields (RFC 9112 section 6.3). Throws UpstreamError for an odd answer. */
export function readResponseFraming(head: MessageHead): BodyLength {
  let contentLength: number | undefined
  let isChunked = false
  for (let index = 0; index < head.names.length; index++) {
    const { kind } = head.names[index]!
    const value = head.values[index]!
    if (kind === HeaderKind.contentLength) {
      if (contentLength !== undefined || !/^\d{1,15}$/.test(value)) refuse('odd Content-Length')
      contentLength = Number(value)
    } else if (kind === HeaderKind.transferEncoding) {
      if (isChunked || value.toLowerCase() !== 'chunked') refuse(`Transfer-Encoding ${value}`)
      isChunked = true
    }
  }
  if (isChunked && head.version === 10) refuse('Transfer-Encoding in HTTP/1.0')
  if (isChunked && contentLength !== undefined) refuse('Content-Length with Transfer-Encoding')
  return isChunked ? chunked : (contentLength ?? untilClose)
}
